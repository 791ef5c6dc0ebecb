"""Run the command line: ``kraken-ohlcv`` and ``python -m kraken_ohlcv_cli``."""

from __future__ import annotations

import json
import sys
from typing import Final

from kraken_ohlcv_cli.app import app
from kraken_ohlcv_cli.errors import USAGE, exit_code, expected, say

AS_JSON: Final = "--json" in sys.argv
"""Whether the caller reads JSON."""


def main() -> None:
    """Run one command.

    :raises SystemExit: always, with the exit code
    """
    try:
        app(prog_name="kraken-ohlcv")
    except SystemExit as ended:
        if ended.code == USAGE and AS_JSON:
            print(json.dumps({"error": "wrong usage: standard error says what is wrong"}))
        raise
    except expected() as error:
        say(error, as_json=AS_JSON)
        raise SystemExit(exit_code(error)) from None


if __name__ == "__main__":
    main()

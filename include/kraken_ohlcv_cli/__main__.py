"""Run the command line: ``kraken-ohlcv`` and ``python -m kraken_ohlcv_cli``."""

from __future__ import annotations

import json
import sys

from kraken_ohlcv_cli.app import app
from kraken_ohlcv_cli.errors import USAGE, exit_code, expected, say


def main() -> None:
    """Run one command.

    :raises SystemExit: always, with the exit code
    """
    as_json = "--json" in sys.argv
    try:
        app(prog_name="kraken-ohlcv")
    except SystemExit as ended:
        if ended.code == USAGE and as_json:
            print(json.dumps({"error": "wrong usage: standard error says what is wrong"}))
        raise
    except expected() as error:
        say(error, as_json=as_json)
        raise SystemExit(exit_code(error)) from None


if __name__ == "__main__":
    main()

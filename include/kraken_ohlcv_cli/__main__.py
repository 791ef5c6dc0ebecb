"""Run the command line: ``kraken-ohlcv`` and ``python -m kraken_ohlcv_cli``."""

from __future__ import annotations

import sys

from kraken_ohlcv_cli.app import app
from kraken_ohlcv_cli.errors import exit_code, expected, say


def main() -> None:
    """Run one command.

    :raises SystemExit: always, with the exit code
    """
    try:
        app(prog_name="kraken-ohlcv")
    except SystemExit:
        raise
    except expected() as error:
        say(error, as_json="--json" in sys.argv)
        raise SystemExit(exit_code(error)) from None


if __name__ == "__main__":
    main()

"""Prepare Airflow's metadata database: ``python -m sandbox.airflow_setup``.

One process for both commands, since importing Airflow takes longer than the commands themselves.
"""

from __future__ import annotations

from sandbox.processes import ROOT

POOLS_FILE = ROOT / "pools.json"
DONE = "Metadata database and pools are ready"


def main() -> None:
    """Run ``airflow db migrate`` and ``airflow pools import pools.json``; both may be repeated."""
    from airflow.cli.cli_parser import get_parser  # noqa: PLC0415 (seconds; POOLS_FILE is imported elsewhere)

    parser = get_parser()
    for command in (["db", "migrate"], ["pools", "import", str(POOLS_FILE)]):
        arguments = parser.parse_args(command)
        arguments.func(arguments)
    print(DONE)


if __name__ == "__main__":
    main()

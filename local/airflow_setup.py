"""Prepare Airflow's metadata database: ``python -m local.airflow_setup``.

One process for all commands, since importing Airflow takes longer than the commands themselves.
"""

from __future__ import annotations

from local.processes import ROOT

POOLS_FILE = ROOT / "pools.json"
DONE = "Metadata database and pools are ready"


def main() -> None:
    """Do for Airflow itself what every deployment does; may be repeated."""
    # Airflow takes seconds to import; POOLS_FILE is imported elsewhere.
    from kraken_ohlcv_airflow.setup.stores import prepare_airflow  # noqa: PLC0415

    prepare_airflow()
    print(DONE)


if __name__ == "__main__":
    main()

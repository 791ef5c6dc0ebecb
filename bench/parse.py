"""How long a DAG file of this package takes to read, as every task instance does, against an empty one.

* ``backfill / empty DAG file``: a process that reads ``dags/backfill_tier1_daily.py``, its plan included,
  against one that reads a file with a DAG without tasks; processor time, both import Airflow's task SDK.
* ``1,400 lines / as shipped``: the same DAG file with a line for each of Kraken's pairs, and rules.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.tools.ratios import Ratio
from kraken_ohlcv.core.settings import ASSETS_FILE_ENV

if TYPE_CHECKING:
    from bench.tools.services import Services

ROOT: Final = Path(__file__).resolve().parents[1]
BACKFILL: Final = ROOT / "dags" / "backfill_tier1_daily.py"
EMPTY: Final = 'from airflow.sdk import DAG\n\ndag = DAG("empty")\n'
READ: Final = "import runpy, sys; runpy.run_path(sys.argv[1])"
ROUNDS: Final = 3
N_LINES: Final = 1400


def run(services: Services) -> list[Ratio]:
    """Measure.

    :param services: not needed but for its say
    :return: two ratios
    """
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        empty, many = home / "empty.py", home / "many.yaml"
        empty.write_text(EMPTY, encoding="utf-8")
        lines = (
            f"  - {{ticker: SYN{number}USD, base: SYN{number}, quote: USD, tier: TIER{number % 4 + 1}}}\n"
            for number in range(N_LINES)
        )
        rules = "tiers:\n  TIER4: {schedule: 0 6 * * *}\nselect:\n  - {quote: EUR, tier: TIER4}\n"
        many.write_text(f"assets:\n{''.join(lines)}{rules}", encoding="utf-8")
        # In turn, so that what else the machine does meets all of them.
        taken = [
            (_read_ms(empty, home), _read_ms(BACKFILL, home), _read_ms(BACKFILL, home, plan=many))
            for _ in range(ROUNDS)
        ]
    empty_ms, backfill_ms, many_ms = (min(column) for column in zip(*taken, strict=True))
    services.say(f"  {ROUNDS} processes of each kind have read their file")
    return [
        Ratio(
            "backfill / empty DAG file",
            backfill_ms / empty_ms,
            target=1.5,
            details={"backfill_ms": backfill_ms, "empty_ms": empty_ms},
        ),
        Ratio(
            "1,400 lines / as shipped",
            many_ms / backfill_ms,
            target=1.2,
            details={"1,400_lines_ms": many_ms, "shipped_ms": backfill_ms},
        ),
    ]


def _read_ms(file: Path, home: Path, *, plan: Path | None = None) -> float:
    environment = {name: value for name, value in os.environ.items() if name != ASSETS_FILE_ENV}
    environment |= {"AIRFLOW_HOME": str(home), "PYTHONPATH": f"{ROOT / 'include'}:{ROOT / 'plugins'}"}
    environment |= {ASSETS_FILE_ENV: str(plan)} if plan else {}
    before = _cpu_s()
    subprocess.run([sys.executable, "-c", READ, str(file)], env=environment, check=True)  # noqa: S603
    return (_cpu_s() - before) * 1000


def _cpu_s() -> float:
    """Return the processor time of all processes that have ended, seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime

"""Writes ``docs/DAGS.md`` from the DAGs themselves: ``python -m tools.dags_document``."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

from kraken_ohlcv.core.schedules import MANUALS, SCHEDULES
from local.processes import ROOT
from local.scratch import scratch_directory

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import timedelta

DOCUMENT = ROOT / "docs" / "DAGS.md"

HEAD = """# DAGs

Made from the DAGs by `make docs`; a test fails when it is stale. Times are UTC.

Trigger a DAG in the UI, whose form shows the params below, or on the command line, for example
`airflow dags trigger backfill_tier1_daily --conf '{"tier": "ALL"}'`.
A conf key that a DAG does not know is refused. Every DAG has a task `result`, whose return value is the run's
result, and a task `verdict`, which fails when the run is to fail.

Schedules and defaults of the backfills are those of the plan as shipped; they follow `include/assets.yaml`
([OPERATIONS.md](OPERATIONS.md#the-plan-of-what-is-kept)). `backfill_tier3` and `backfill_tier4`, with the
same params, are there while the plan gives their tier a schedule.

| DAG | runs | told when not finished after | stopped after |
|---|---|---|---|
"""


def document(dags: dict[str, Any]) -> str:
    """Return the text of ``docs/DAGS.md``.

    :param dags: DAGs by id
    :return: Markdown
    """
    order = [*SCHEDULES, *MANUALS]
    lines = [_row(dags[dag_id]) for dag_id in order]
    return HEAD + "\n".join(lines) + "\n" + "".join(_section(dags[dag_id]) for dag_id in order)


def _runs(dag: Any) -> str:
    entry = SCHEDULES.get(dag.dag_id)
    return f"`{entry.cron}`" if entry else "by hand"


def _row(dag: Any) -> str:
    entry = SCHEDULES.get(dag.dag_id) or MANUALS[dag.dag_id]
    link = f"[`{dag.dag_id}`](#{dag.dag_id})"
    return f"| {link} | {_runs(dag)} | {_span(entry.deadline)} | {_span(dag.dagrun_timeout)} |"


def _span(duration: timedelta) -> str:
    minutes = int(duration.total_seconds() // 60)
    return f"{minutes // 60} h" if minutes % 60 == 0 else f"{minutes} min"


def _section(dag: Any) -> str:
    # The headings of a DAG's own text are one level below its name here.
    return "\n".join([f"\n## {dag.dag_id}\n", dag.doc_md.strip(), "", *_params(dag), "", *_tasks(dag), ""])


def _params(dag: Any) -> Iterable[str]:
    yield "| param | default | allowed | meaning |"
    yield "|---|---|---|---|"
    for name in dag.params:
        param = dag.params.get_param(name)
        schema = param.schema
        default = json.dumps(dag.params[name])
        yield f"| `{name}` | `{default}` | {_allowed(schema)} | {_cell(param.description or '')} |"


def _allowed(schema: dict[str, Any]) -> str:
    kinds = schema.get("type")
    parts = [" or ".join(kinds) if isinstance(kinds, list) else str(kinds)]
    if "enum" in schema:
        parts.append(", ".join(f"`{value}`" for value in schema["enum"]))
    if "minimum" in schema or "maximum" in schema:
        parts.append(f"{schema.get('minimum', '')} to {schema.get('maximum', '')}")
    items = schema.get("items", {})
    if "enum" in items:
        parts.append("of " + ", ".join(f"`{value}`" for value in items["enum"]))
    elif "pattern" in items:
        parts.append(f"of `{items['pattern']}`")
    return _cell("; ".join(parts))


def _tasks(dag: Any) -> Iterable[str]:
    yield "| task | pool | does |"
    yield "|---|---|---|"
    for task in dag.topological_sort():
        text = _does(task).strip().splitlines()[0]
        yield f"| `{task.task_id}` | {task.pool.removeprefix('default_pool')} | {_cell(text)} |"


def _does(task: Any) -> str:
    partial = task.partial_kwargs if task.is_mapped else {}
    function = getattr(task, "python_callable", None) or partial.get("python_callable")
    kind = task.operator_class if task.is_mapped else type(task)
    return str((function or kind).__doc__)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def load_dags() -> dict[str, Any]:
    """Return the project's DAGs, parsed with an Airflow home of their own.

    :raises RuntimeError: if a DAG cannot be imported
    """
    # Read at import of Airflow: the user's own Airflow is neither read nor changed.
    os.environ.setdefault("AIRFLOW_HOME", str(scratch_directory("airflow")))
    os.environ.setdefault("AIRFLOW__CORE__PLUGINS_FOLDER", str(ROOT / "plugins"))
    os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
    # What goes wrong is an import error, and raised; the rest is noise.
    os.environ.setdefault("AIRFLOW__LOGGING__LOGGING_LEVEL", "ERROR")
    from airflow.dag_processing.dagbag import DagBag  # noqa: PLC0415 (after the settings above)

    pools = {*json.loads((ROOT / "pools.json").read_text(encoding="utf-8")), "default_pool"}
    bag = DagBag(str(ROOT / "dags"), known_pools=pools)
    if bag.import_errors:
        raise RuntimeError(f"DAGs cannot be imported: {bag.import_errors}")
    return dict(bag.dags)


def main() -> int:
    """Write the document.

    :return: exit code
    """
    DOCUMENT.write_text(document(load_dags()), encoding="utf-8")
    print(f"Written: {DOCUMENT}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

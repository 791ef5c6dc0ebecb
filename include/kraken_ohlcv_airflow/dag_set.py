"""All DAGs at once, for the one file that an existing Airflow's dags folder needs (docs/DEPLOY.md)."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kraken_ohlcv.core.errors import SetUpError
from kraken_ohlcv.core.schedules import BACKFILL_DAGS, DAG_PREFIX, MANUALS, SCHEDULES, checked_prefix
from kraken_ohlcv.core.settings import DAG_PREFIX_ENV

if TYPE_CHECKING:
    from airflow.sdk import DAG

FOLDER = f"{__package__}.dags"


def dags(*, prefix: str = DAG_PREFIX, assets_file: str | Path | None = None) -> dict[str, DAG]:
    """Return the DAGs, which Airflow finds among the names of the file that calls this.

    The environment sets the prefix: the pages and the triggerer, which read no DAG file, need it, too.

    :param prefix: what DAG ids begin with, to insist on it
    :param assets_file: full path of the plan's file, which governs schedules, too; None = that of
        ``OHLCV_ASSETS_FILE``, or the shipped one
    :return: for ``globals().update(dags())``
    :raises SetUpError: if the environment sets another prefix, or the path is not a full one
    """
    if checked_prefix(prefix) != DAG_PREFIX:
        raise SetUpError(
            f"dags(prefix={prefix!r}) does not match {DAG_PREFIX_ENV}, which is {DAG_PREFIX!r} here: set "
            f"{DAG_PREFIX_ENV}={prefix} for all processes of Airflow and restart them, or call dags() "
            "without a prefix"
        )
    if assets_file is not None and not Path(assets_file).is_absolute():
        raise SetUpError(
            f"dags(assets_file={str(assets_file)!r}) is no full path: tasks run in other folders; "
            'give Path(__file__).parent / "..."'
        )
    made: dict[str, DAG] = {}
    for dag_id in dict.fromkeys((*SCHEDULES, *MANUALS, *BACKFILL_DAGS.values())):
        module = import_module(f"{FOLDER}.{dag_id.removeprefix(DAG_PREFIX)}")
        if assets_file is None:
            dag = module.dag
        elif hasattr(module, "make"):
            dag = module.make(assets_file)
        else:
            dag = module.dag
            prepare: Any = dag.get_task("prepare")
            prepare.op_kwargs = {**prepare.op_kwargs, "assets_file": str(assets_file)}
        if dag is not None:
            made[dag_id] = dag
    return made

"""Which run of which DAG."""

from typing import NamedTuple


class RunKey(NamedTuple):
    """Identity of a DAG run; run ids alone repeat between DAGs."""

    dag_id: str
    run_id: str

"""The DAG and run a piece of work belongs to."""

from typing import NamedTuple


class RunKey(NamedTuple):
    """Identity of a DAG run; run ids alone repeat between DAGs."""

    dag_id: str
    run_id: str

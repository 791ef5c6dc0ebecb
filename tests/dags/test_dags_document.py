"""docs/DAGS.md says what the DAGs say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.dags_document import DOCUMENT, document

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag


def test_the_document_is_what_make_docs_would_write(dag_bag: DagBag) -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document(dict(dag_bag.dags)), "run `make docs`"


def test_every_dag_param_and_task_is_in_it(dag_bag: DagBag) -> None:
    text = document(dict(dag_bag.dags))
    assert dag_bag.dags
    for dag_id, dag in dag_bag.dags.items():
        assert f"## {dag_id}\n" in text
        assert all(f"| `{name}` |" in text for name in [*dag.params, *dag.task_ids])

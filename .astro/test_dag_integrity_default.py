"""Run by ``astro dev parse``: every DAG file imports without error, and there are DAGs at all.

Replaces the file that the CLI generates, which calls ``DagBag(include_examples=False)``: that argument is
gone since Airflow 3.3.
"""

from pathlib import Path

from airflow.dag_processing.dagbag import DagBag

DAGS_FOLDER = Path(__file__).resolve().parents[1] / "dags"


def test_every_dag_file_imports() -> None:
    """Parse the DAG folder and look at what Airflow says of it."""
    bag = DagBag(str(DAGS_FOLDER))
    assert bag.import_errors == {}
    assert bag.dags

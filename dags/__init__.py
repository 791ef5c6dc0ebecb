"""The DAGs, one per file: its documentation in the UI, its params and the order of its tasks."""

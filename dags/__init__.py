"""The DAGs, one per file: the manual, the params and the order of the tasks."""

"""The DAGs of this project; each file is a manual and the order of its tasks."""

"""The pages in Airflow's UI: coverage, gaps, incidents, their JSON twins, and what can be started."""

"""Import paths that version 0.1.0 stored in Airflow's database; for one release."""

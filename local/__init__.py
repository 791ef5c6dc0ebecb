"""Real services on loopback for demo, tests and live use: PostgreSQL, QuestDB, Airflow, an exchange."""

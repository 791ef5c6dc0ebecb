"""The demo: break candle history in every way, let Airflow repair it, compare the outcome with the truth."""

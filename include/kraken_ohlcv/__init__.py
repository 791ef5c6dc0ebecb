"""The domain: what is missing, what is proven, and how it is repaired. Free of Airflow."""

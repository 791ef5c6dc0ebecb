"""The command line: what is complete, what is missing and what its repair costs; candles as files.

Commands change no candle and no gap; runs are started in Airflow. Every command prints tables for people, or
JSON with ``--json``, and ends with 0 (good), 1 (incomplete, or a check failed) or 2 (asked for in a wrong
way).
"""

"""Brings the candles and gap records of the Celery application over: see docs/FROM_CELERY.md."""

"""The importer of the Celery application's candles and gap records, see docs/FROM_CELERY.md."""

"""Freshness checks, incidents, catch-up runs, and the Slack messages that show them."""

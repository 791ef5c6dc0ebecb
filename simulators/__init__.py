"""Stand-ins for the exchange, its archive and Slack; never installed."""

"""Kraken's public REST API: calls limited, retried, judged and checked."""

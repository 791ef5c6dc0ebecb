"""A Kraken exchange simulator: ``python -m sandbox.exchange`` speaks the public REST API of api.kraken.com.

It shares no code with the hook it is there to test. Either it invents a market (``market``, deterministic by
seed and anchor) or it repeats recorded replies (``replay``). ``sandbox.exchange_client`` steers it.
"""

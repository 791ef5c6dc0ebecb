"""A Kraken exchange simulator: ``python -m simulators.exchange`` speaks Kraken's public REST API.

It shares no code with the hook it is there to test. Either it invents a market (``market``, deterministic by
seed and anchor) or it repeats recorded replies (``replay``). ``simulators.exchange_client`` steers it.

What happens at the border of two pages of trades is meant as a trap: trades of one order share their
nanosecond, the cursor ``last`` is the time of a page's last trade, and the next page begins *after* it. A
client that pages by ``last`` alone loses the trades of that nanosecond that did not fit; it has to ask from
one nanosecond earlier and drop by id what it has seen.
"""

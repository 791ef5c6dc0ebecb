"""Candles rebuilt from single trades: beyond the reach of the OHLC call, and the judge of what it says."""

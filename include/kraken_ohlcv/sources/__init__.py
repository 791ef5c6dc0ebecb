"""Where candles come from; the sources do not know of each other."""

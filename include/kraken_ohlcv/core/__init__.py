"""Words and arithmetic: series, candles, gaps, ranges, evidence, incidents; pure."""

"""What a bucket is to somebody who reads candles: one word each, the same in frames, exports and commands."""

from __future__ import annotations

from enum import StrEnum

from kraken_ohlcv.core.evidence import Evidence


class BucketStatus(StrEnum):
    """What is known of a bucket; it is exactly one of these."""

    STORED = "stored"
    """A candle stands in QuestDB, whatever the ledger says."""
    EMPTY_TRADES = "empty_trades"
    """Not stored: trades with contiguous ids prove that nothing traded."""
    EMPTY_OHLC = "empty_ohlc"
    """Not stored: the OHLC call proves that nothing traded."""
    EMPTY_ARCHIVE = "empty_archive"
    """Not stored: Kraken's archive proves that nothing traded."""
    MISSING = "missing"
    """Neither stored nor proven empty, and due; or never loaded."""
    PENDING = "pending"
    """Closed, neither stored nor proven empty, and not due yet."""
    UNKNOWN = "unknown"
    """Of a moment before records began: what the bucket was then, nothing tells."""

    @classmethod
    def empty_by(cls, evidence: Evidence) -> BucketStatus:
        """Return the status of a bucket that some evidence proves empty."""
        return cls(f"empty_{evidence}")


EMPTY = frozenset(BucketStatus.empty_by(evidence) for evidence in Evidence)
"""Proven to have had no trades."""

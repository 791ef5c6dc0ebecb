"""Counts what the answers of a source did to a series, for the line that the log says of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from kraken_ohlcv.core.wording import counted
from kraken_ohlcv.repair.context import WriteResult


@dataclass(slots=True)
class Applied:
    """What became of the ledger of a series with one answer, or one page of trades.

    :ivar problems: why gaps that were tried stay open although another try may close them, a sentence each
    :ivar gaps_filled: gaps that are closed now
    :ivar gaps_open: gaps that were tried and still miss something
    :ivar buckets_proven: buckets that are proven empty now and were not before
    :ivar proofs_withdrawn: buckets that were proven empty before and no longer are
    """

    problems: list[str] = field(default_factory=list)
    gaps_filled: int = 0
    gaps_open: int = 0
    buckets_proven: int = 0
    proofs_withdrawn: int = 0


@dataclass(slots=True)
class Tally:
    """What all answers about a series did so far.

    :ivar written: candles written, each of which was read back
    :ivar compared: stored candles that an answer held, too
    :ivar differing: those of them for which it gave other values
    :ivar restated: those of them that were replaced
    :ivar applied: what became of the ledger
    """

    written: int = 0
    compared: int = 0
    differing: int = 0
    restated: int = 0
    applied: Applied = field(default_factory=Applied)

    def add(self, written: WriteResult, applied: Applied) -> None:
        """Add what one answer did."""
        self.written += written.n_written
        self.compared += written.n_compared
        self.differing += written.n_differing
        self.restated += len(written.restated)
        self.applied.gaps_filled += applied.gaps_filled
        # A later answer decides on what an earlier one left open.
        self.applied.gaps_open = applied.gaps_open
        self.applied.buckets_proven += applied.buckets_proven
        self.applied.proofs_withdrawn += applied.proofs_withdrawn

    def said(self, *, is_recheck: bool) -> str:
        """Return it in words.

        :param is_recheck: whether a range was asked for, whose candles were to be compared
        :return: for example ``wrote 12, read back 12; 3 gaps filled, 1 candle restated``
        """
        wrote = f"wrote {self.written:,}, read back {self.written:,}" if self.written else "nothing to write"
        parts = [wrote]
        if is_recheck or self.differing:
            parts.append(f"compared {self.compared:,} with what was stored, {self.differing:,} differed")
        done = [
            counted(self.applied.gaps_filled, "gap") + " filled" if self.applied.gaps_filled else "",
            counted(self.restated, "candle") + " restated" if self.restated else "",
            counted(self.applied.buckets_proven, "bucket") + " proven empty"
            if self.applied.buckets_proven
            else "",
            counted(self.applied.proofs_withdrawn, "proof") + " of emptiness withdrawn"
            if self.applied.proofs_withdrawn
            else "",
            counted(self.applied.gaps_open, "gap") + " still open" if self.applied.gaps_open else "",
        ]
        return "; ".join([*parts, *([", ".join(filter(None, done))] if any(done) else [])])

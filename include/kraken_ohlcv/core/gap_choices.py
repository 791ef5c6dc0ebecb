"""By what people choose gaps, on the page and on the command line: one word for some states."""

from typing import Final, Literal, TypeAlias

from kraken_ohlcv.core.gap import GapStatus

OPEN_STATUSES: Final = tuple(status for status in GapStatus if status is not GapStatus.FILLED)
FILLABLE: Final = [GapStatus.DETECTED, GapStatus.BACKFILLING, GapStatus.FAILED]

StatusChoice: TypeAlias = Literal[
    "open",
    "fillable",
    "expiring",
    "accepted",
    "detected",
    "backfilling",
    "failed",
    "unfillable",
    "filled",
    "all",
]
"""What people choose gaps by."""
STATUS_CHOICES: Final[dict[str, list[GapStatus] | None]] = {
    "open": list(OPEN_STATUSES),
    "fillable": FILLABLE,
    "expiring": FILLABLE,
    "accepted": list(OPEN_STATUSES),
    "all": None,
    **{status.lower(): [status] for status in GapStatus},
}
"""Gap states that a choice stands for; None = every one."""
ACCEPTED_CHOICES: Final = {"expiring": False, "accepted": True}
"""Whether a choice is about accepted gaps; the others show both kinds: an accepted gap is still open."""

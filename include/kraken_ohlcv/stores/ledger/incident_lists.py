"""Table ``incidents`` as people look at it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from kraken_ohlcv.core.incident import news

if TYPE_CHECKING:
    from kraken_ohlcv.core.incident import MessageKind

PAGE_SIZE: Final = 25


@dataclass(frozen=True, slots=True)
class ListedIncident:
    """An incident, open or past; times in epoch seconds UTC.

    :ivar incident_id: primary key
    :ivar key: ``stale``, ``source``, ``at_risk``, ``run:<dag_id>`` or ``pair:<ticker>``
    :ivar incident_class: ``stale``, ``source``, ``at_risk``, ``run`` or ``pair``
    :ivar headline: what is wrong, one sentence
    :ivar since_s: since when it is wrong
    :ivar subjects: what it concerns, with facts
    :ivar tried: what was tried against it, or None
    :ivar url: the run that saw it, or None
    :ivar opened_s: when it was opened
    :ivar updated_s: when a check looked last
    :ivar recovered_s: when it ended, or None
    :ivar growths: messages about its growth
    :ivar snoozed_until_s: no growth is told before, or None
    :ivar snoozed_by: who asked for that, or None
    :ivar shown_stage: the stage that people were notified of; see :func:`kraken_ohlcv.core.incident.stage_of`
    :ivar shown_s: when its messages in the channel last changed, or None
    :ivar tries: failures to notify since the last success, >= 0
    :ivar warning: what went wrong in telling it, or None
    """

    incident_id: int
    key: str
    incident_class: str
    headline: str
    since_s: int
    subjects: dict[str, dict[str, Any]]
    tried: str | None
    url: str | None
    opened_s: int
    updated_s: int
    recovered_s: int | None
    growths: int
    snoozed_until_s: int | None
    snoozed_by: str | None
    shown_stage: int
    shown_s: int | None
    tries: int
    warning: str | None

    @property
    def is_open(self) -> bool:
        """Return whether it goes on."""
        return self.recovered_s is None

    @property
    def waiting(self) -> MessageKind | None:
        """Return of what people have yet to be notified, or None."""
        return news(self.shown_stage, self.growths, is_over=not self.is_open)

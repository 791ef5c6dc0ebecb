"""Times, durations and lists in words that are quickly read. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

UNITS: Final = (("day", 86_400), ("hour", 3_600), ("minute", 60))
LENGTHS: Final = ((60 * 24, "d"), (60, "h"), (1, "min"))

MOST_NAMED: Final = 10


def moment(moment_s: float) -> str:
    """Return a moment in words.

    :param moment_s: epoch seconds UTC
    :return: for example ``Mon 23 Nov 2026, 02:30 UTC``
    """
    return datetime.fromtimestamp(moment_s, UTC).strftime("%a %-d %b %Y, %H:%M UTC")


def iso_moment(text: str) -> str:
    """Return a moment in words.

    :param text: as :func:`kraken_ohlcv.core.times.iso` writes it
    :return: see :func:`moment`; the text itself when it is none
    """
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return text
    return moment(parsed.replace(tzinfo=parsed.tzinfo or UTC).timestamp())


def duration(seconds: int) -> str:
    """Return a duration in words, its two largest units.

    :param seconds: counts as 0 when negative
    :return: for example ``1 day 3 hours``, ``40 minutes``, ``less than a minute``
    """
    parts, rest = [], max(0, seconds)
    for name, size_s in UNITS:
        n, rest = divmod(rest, size_s)
        if n:
            parts.append(counted(n, name))
        elif parts:
            break
    return " ".join(parts[:2]) or "less than a minute"


def counted(n: int, noun: str) -> str:
    """Return a number with its noun.

    :param n: >= 0
    :param noun: in the singular; "series" stays as it is
    :return: for example ``1 ticker``, ``1,240 tickers``, ``2 series``
    """
    return f"{n:,} {noun}" if n == 1 or noun.endswith("s") else f"{n:,} {noun}s"


def named(names: Sequence[str]) -> str:
    """Return some names, however many there are.

    :return: for example ``XBTUSD, ETHUSD``; of many the first, and how many more
    """
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"{', '.join(names[:MOST_NAMED])}{more}"


def sentence(text: str) -> str:
    """Return a text that begins and ends as a sentence does.

    :param text: not escaped
    :return: a name like ``backfill_tier1_daily`` at its beginning stays as it is
    """
    stripped = text.strip()
    end = "" if not stripped or stripped.endswith((".", "!", "?", "…")) else "."
    return capitalised(stripped) + end


def capitalised(text: str) -> str:
    """Return a text with a capital letter at its beginning.

    :param text: a name like ``backfill_tier1_daily`` at its beginning stays as it is
    """
    first_words = text.split(maxsplit=1)[:1]
    return text[:1].upper() + text[1:] if first_words and first_words[0].isalpha() else text


def interval_name(minutes: int) -> str:
    """Return a candle length as people say it.

    :param minutes: candle length
    :return: ``15 min``, ``1 h``, ``1 d``
    """
    size, unit = next((size, unit) for size, unit in LENGTHS if minutes % size == 0)
    return f"{minutes // size} {unit}"


def counted_thinly(n: int, noun: str) -> str:
    """Return a number with its noun, with thin spaces between thousands: for pages and papers."""
    return counted(n, noun).replace(f"{n:,}", number(n), 1)


def tier_name(tier: str) -> str:
    """Return a tier as people read it: ``Tier 1``."""
    return tier.replace("TIER", "Tier ")


def number(value: float) -> str:
    """Return a number with thin spaces between thousands."""
    return f"{value:,}".replace(",", "\u2009")

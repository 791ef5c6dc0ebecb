"""Kraken's candle lengths and the reach of its OHLC call."""

from typing import Final

MINUTE_S: Final = 60
HOUR_S: Final = 3600
DAY_S: Final = 86400

INTERVALS: Final = (1, 5, 15, 30, 60, 240, 1440, 10080, 21600)
"""Candle lengths in minutes that the OHLC call serves (REST reference, "Get OHLC Data")."""

WITNESS_INTERVALS: Final = (720,)
"""Candle lengths of the archive that the OHLC call does not serve, minutes: never stored, but they tell what
the files beside them have lost."""

API_WINDOW_BUCKETS: Final = 720
"""Committed candles one OHLC answer reaches back, whatever ``since`` says (REST reference)."""


def step_s(interval_minutes: int) -> int:
    """Return the length of one candle.

    :param interval_minutes: one of :data:`INTERVALS` or :data:`WITNESS_INTERVALS`
    :return: seconds
    :raises ValueError: if Kraken serves no such interval
    """
    if interval_minutes not in WITNESS_INTERVALS:
        check_served(interval_minutes)
    return interval_minutes * MINUTE_S


def check_served(interval_minutes: int) -> None:
    """Refuse an interval whose candles are never stored.

    :raises ValueError: if it is not one of :data:`INTERVALS`
    """
    if interval_minutes not in INTERVALS:
        raise ValueError(
            f"interval {interval_minutes} is not one of Kraken's: {', '.join(map(str, INTERVALS))}"
        )


def dividing(interval_minutes: int) -> list[int]:
    """Return the shorter intervals whose candles lie inside the buckets of one, whole.

    :param interval_minutes: one of :data:`INTERVALS`
    :return: minutes, ascending; buckets are aligned to the epoch, so those whose length divides it
    """
    return [one for one in INTERVALS if one < interval_minutes and interval_minutes % one == 0]


def divided_by(interval_minutes: int) -> list[int]:
    """Return the longer intervals inside whose buckets the candles of one lie, whole.

    :param interval_minutes: one of :data:`INTERVALS`
    :return: minutes, ascending
    """
    return [one for one in INTERVALS if one > interval_minutes and one % interval_minutes == 0]

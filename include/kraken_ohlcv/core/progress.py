"""How far a long piece of work has come, said now and then. Pure: clock and voice are arguments."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from kraken_ohlcv.core.wording import counted, duration

EVERY_S: Final = 30.0
"""Seconds between two sentences; what is done sooner says nothing."""


class Progress:
    """Says what is done, what is planned and how long the rest takes, at most every 30 s.

    :param what: how the sentence begins, such as ``XBTUSD_1.csv: read``
    :param noun: what is counted, in the singular, such as ``row``
    :param planned: how many there are to do, >= 0; a guess when ``is_guess``
    :param say: takes a sentence; the log of a task, as a rule
    :param clock: monotonic, seconds
    :param every: also says it after so many more are done, None = only by the clock
    :param is_guess: whether more or fewer may turn out to be needed than planned
    """

    def __init__(
        self,
        what: str,
        noun: str,
        planned: int,
        say: Callable[[str], object],
        *,
        clock: Callable[[], float] = time.monotonic,
        every: int | None = None,
        is_guess: bool = False,
    ) -> None:
        self._what, self._noun, self._planned = what, noun, planned
        self._say, self._clock, self._every = say, clock, every
        self._of = "of about" if is_guess else "of"
        self._done = self._said = 0
        self._began_s = self._said_s = clock()

    def add(self, n: int = 1) -> None:
        """Note that more is done.

        :param n: how many more, >= 0
        """
        self.reach(self._done + n)

    def reach(self, done: int, *, planned: int | None = None, detail: str = "") -> None:
        """Note how much is done, and say so when it is time to; the end itself says nothing.

        :param done: of what is planned, since the work began here, >= 0
        :param planned: how many there are after all, None = as planned before
        :param detail: what else to say, a phrase
        """
        self._done = done
        self._planned = max(done, self._planned if planned is None else planned)
        now_s = self._clock()
        by_number = self._every is not None and done - self._said >= self._every
        if done >= self._planned or not (by_number or now_s - self._said_s >= EVERY_S):
            return
        self._said, self._said_s = done, now_s
        parts = [f"{self._what} {done:,} {self._of} {counted(self._planned, self._noun)}"]
        if detail:
            parts.append(detail)
        if done:
            left_s = (now_s - self._began_s) * (self._planned - done) / done
            parts.append(f"{duration(round(left_s))} left")
        self._say(", ".join(parts))

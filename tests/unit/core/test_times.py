"""Text forms of times."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from kraken_ohlcv.core.times import iso
from tests.unit.builders import NOW

if TYPE_CHECKING:
    import pytest


def test_a_moment_is_utc_text_without_offset() -> None:
    assert iso(NOW) == "2026-11-23T12:34:56"
    assert iso(0) == "1970-01-01T00:00:00"


def test_the_text_does_not_depend_on_the_machines_time_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert iso(NOW) == "2026-11-23T12:34:56"
    finally:
        monkeypatch.undo()
        time.tzset()

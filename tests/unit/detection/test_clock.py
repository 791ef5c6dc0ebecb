"""When the exchange's clock is believed."""

from __future__ import annotations

import pytest

from kraken_ohlcv.detection.clock import Reading, why_not
from tests.unit.builders import DAY, HOUR, NOW

CASES = [
    pytest.param((NOW, NOW), None, None, id="the first look, both agree"),
    pytest.param((NOW, NOW - 300), None, None, id="as far ahead as it may be"),
    pytest.param((NOW, NOW + 300), None, None, id="as far behind as it may be"),
    pytest.param((NOW - 301, NOW), None, "5 minutes behind", id="a second more behind"),
    pytest.param((NOW - 2 * DAY, NOW), None, "2 days behind", id="two days behind"),
    pytest.param((NOW - 40 * DAY, NOW), (NOW - 40 * DAY - HOUR, NOW - HOUR), "40 days behind", id="40 days"),
    pytest.param((NOW + 2 * DAY, NOW), None, "2 days ahead of", id="two days ahead"),
    pytest.param((NOW, NOW), (NOW - HOUR, NOW - HOUR), None, id="an hour has passed on both"),
    pytest.param((NOW, NOW + 250), (NOW, NOW - 250), "stood still while 8 minutes", id="it stands still"),
    pytest.param((NOW - 200, NOW), (NOW, NOW - 200), "moved by -200 s", id="it goes back"),
    pytest.param((NOW, NOW), (NOW - 40 * DAY, NOW - HOUR), None, id="right again after it was days behind"),
    pytest.param((NOW, NOW), (NOW - 299, NOW), None, id="two runs at once"),
]


@pytest.mark.parametrize(("seen", "before", "said"), CASES)
def test_a_clock_is_believed_near_the_workers_and_while_it_moves_like_it(
    seen: tuple[int, int], before: tuple[int, int] | None, said: str | None
) -> None:
    doubt = why_not(Reading(*seen), Reading(*before) if before else None, max_skew_s=300)
    assert (doubt is None) == (said is None)
    assert said is None or doubt is None or (said in doubt and "max_clock_skew_s" in doubt)

"""Templates, and the words and numbers in them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import jinja2
from fastapi.responses import HTMLResponse

from kraken_ohlcv.core.intervals import INTERVALS
from kraken_ohlcv.core.tiers import TIERS
from kraken_ohlcv.core.wording import (
    counted_thinly,
    duration,
    interval_name,
    moment,
    number,
    sentence,
    tier_name,
)
from kraken_ohlcv_airflow.web.incident_bar import read_open_incidents
from kraken_ohlcv_airflow.web.incident_words import noun_of, subject_lines, worst_first

FOLDER: Final = Path(__file__).resolve().parent

TABS: Final = (
    ("coverage", "Coverage"),
    ("candles", "Candles"),
    ("gaps", "Gaps"),
    ("incidents", "Incidents"),
    ("objectives", "Objectives"),
    ("statements", "Statements"),
    ("archive", "Archive"),
)
"""Address and title of each page."""


def percent(value: float) -> str:
    """Return a percentage that says 100 only where nothing is missing.

    :param value: 0 to 100
    :return: ``100 %``, ``99.99 %``, ``0.00 %``; cut off, never rounded up
    """
    cut = int(value * 100)
    return "100\u2009%" if cut == 100 * 100 else f"{cut // 100}.{cut % 100:02}\u2009%"


def short_moment(moment: datetime) -> str:
    """Return a moment as it stands in tables.

    :param moment: UTC
    :return: ``2026-11-23 14:30``, or only the day at midnight
    """
    return moment.strftime("%Y-%m-%d %H:%M").removesuffix(" 00:00")


def span(begin: datetime, end: datetime) -> str:
    """Return a half-open range of time as it stands in tables.

    :param begin: UTC
    :param end: exclusive, UTC
    :return: whole days by their first and last one, else from minute to minute
    """
    if begin.time() == end.time() == time():
        first, last = short_moment(begin), short_moment(end - timedelta(days=1))
        return first if first == last else f"{first} \u2013 {last}"
    end_text = f"{end:%H:%M}" if begin.date() == end.date() else f"{end:%Y-%m-%d %H:%M}"
    return f"{begin:%Y-%m-%d %H:%M} \u2013 {end_text}"


def address(page: str, values: Mapping[str, Any]) -> str:
    """Return a link to a page of this package.

    :param page: relative address, so that it works below any path
    :param values: query parameters
    """
    query = urlencode({name: value for name, value in values.items() if value is not None})
    return f"{page}?{query}" if query else page


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # Without blanks, in the given order.
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    environment.filters.update(
        moment=lambda at: moment(at.timestamp()),
        short_moment=short_moment,
        sentence=sentence,
        number=number,
        percent=percent,
        interval_name=interval_name,
        tier_name=tier_name,
    )
    environment.globals.update(
        address=address,
        counted=counted_thinly,
        duration=lambda span: duration(int(span.total_seconds())),
        noun_of=noun_of,
        open_incidents=read_open_incidents,
        span=span,
        subject_lines=subject_lines,
        worst_first=worst_first,
        tiers=TIERS,
        intervals=INTERVALS,
        tabs=TABS,
        active=None,
        up="",  # from the address of the page to the folder of all pages
    )
    return environment


ENVIRONMENT: Final = _environment()


def page(template: str, *, status_code: int = 200, **values: Any) -> HTMLResponse:
    """Return a page.

    :param template: file name in ``templates``
    :param status_code: HTTP status
    :param values: names of the template
    :return: HTML; every value is escaped
    """
    return HTMLResponse(ENVIRONMENT.get_template(template).render(**values), status_code=status_code)

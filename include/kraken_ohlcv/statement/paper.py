"""Papers as one HTML file each: no script, nothing fetched, headings repeated on each printed page."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Any, Final

import jinja2
from markupsafe import Markup

from kraken_ohlcv.core.wording import counted_thinly, duration, interval_name, number, sentence, tier_name
from kraken_ohlcv.statement.facts import OUTCOMES
from kraken_ohlcv.statement.limits import UNPROVEN_WORDS

LISTING_WORDS: Final = {
    "unknown": "Kraken does not know the pair",
    "left": "the pair has left Kraken",
    "not_expected": "not expected by the catalogue",
}
REASON_WORDS: Final[Mapping[str, str]] = {
    "first": "the day was due",
    "extended": "the series begins earlier, or ends later",
    "filled": "a missing bucket was stored",
    "proven": "a bucket was proven empty",
    "restated": "a candle got other values",
    "confirmed": "another source confirmed a candle",
    "renamed": "a candle has another source",
    "contradicted": "a bucket proven empty was stored",
    "withdrawn": "a proof was withdrawn",
    "lost": "a candle was lost",
    "accepted": "somebody accepted what no record explains",
}
"""Why a day was sealed again, in words; see :class:`kraken_ohlcv.core.seal.SealReason`."""
TARGET_NAMES: Final = {"verified": "Verified share", "fresh": "Freshness"}


def statement_html(document: Mapping[str, Any], sha256: str, *, version: int | None = None) -> str:
    """Return a statement as HTML.

    :param document: its JSON, see :func:`kraken_ohlcv.statement.document.as_document`
    :param sha256: hash of its text
    :param version: its number among those of the same tier and range; None = it is not kept
    :return: every value is escaped
    """
    return _template("statement.html").render(statement=document, sha256=sha256, version=version)


def postmortem_html(document: Mapping[str, Any]) -> str:
    """Return the post-mortem of an incident as HTML.

    :param document: its JSON, see :func:`kraken_ohlcv.statement.postmortem.as_document`
    :return: every value is escaped
    """
    return _template("postmortem.html").render(paper=document)


@cache
def style_hash() -> str:
    """Return the hash by which a Content-Security-Policy lets the style of the papers through."""
    digest = hashlib.sha256(_text("paper.css").encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def percent(share: float) -> str:
    """Return a share; 100 only where nothing is short.

    :param share: percent, cut after at most four decimals
    :return: for example ``99.9995 %``, ``100 %``
    """
    return f"{share:.4f}".rstrip("0").rstrip(".") + "\u2009%"


def time(text: str) -> Markup:
    """Return a moment as people read it, UTC; seconds only where they count.

    :param text: as :func:`kraken_ohlcv.core.times.iso` writes it
    """
    said = text[:16].replace("T", " ") if text.endswith(":00") else text[:19].replace("T", " ")
    # Both are plain ASCII of our own, but a document may have been altered.
    return Markup('<time datetime="{}Z">{}</time>').format(text, said)


def differences(restatement: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Return the figures that differ between both versions of a candle: name, old, new."""
    old, new = restatement["old"], restatement["new"]
    for name in dict.fromkeys((*old, *new)):
        if old.get(name) != new.get(name):
            yield name, *("none" if one.get(name) is None else one.get(name) for one in (old, new))


def _days(span: Mapping[str, Any]) -> str:
    last = datetime.fromisoformat(span["end"]) - timedelta(days=1)
    first = datetime.fromisoformat(span["start"])
    if first == last:
        return f"{first:%-d %B %Y}"
    return f"{first:%-d %B %Y} to {last:%-d %B %Y}"


def _series(one: Mapping[str, Any]) -> str:
    return f"{one['ticker']} {interval_name(one['interval'])}"


def _text(name: str) -> str:
    return (files("kraken_ohlcv.statement") / "templates" / name).read_text(encoding="utf-8")


@cache
def _template(name: str) -> jinja2.Template:
    return _environment().get_template(name)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_text),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        days=_days,
        differences=differences,
        duration=duration,
        interval_name=interval_name,
        number=number,
        percent=percent,
        sentence=sentence,
        series=_series,
        tier_name=tier_name,
        time=time,
    )
    environment.globals.update(
        counted=counted_thinly,
        listing_words=LISTING_WORDS,
        outcomes=OUTCOMES,
        reason_words=REASON_WORDS,
        # Our own text; escaped, its quotes would not be CSS.
        style=Markup(_text("paper.css")),  # noqa: S704
        target_names=TARGET_NAMES,
        unproven_words=UNPROVEN_WORDS,
    )
    return environment

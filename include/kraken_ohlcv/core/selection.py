"""Rules that take pairs of the exchange into a tier, and which pairs they take; pure."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Annotated, Final, NamedTuple, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from kraken_ohlcv.core.assets import TICKER_PATTERN, is_tokenised
from kraken_ohlcv.core.tiers import Tier

TICKER: Final = re.compile(TICKER_PATTERN)
CODE: Final = "^[A-Z0-9.]{1,16}$"
STATUS: Final = "^[a-z_]{1,32}$"
GLOB: Final = r"^[A-Z0-9*?\[\]!.-]{1,32}$"

SAME: Final = {"BTC": "XBT", "DOGE": "XDG"}
"""How people call an asset, and how Kraken does."""

Code: TypeAlias = Annotated[str, Field(pattern=CODE)]
Globs: TypeAlias = tuple[Annotated[str, Field(pattern=GLOB)], ...]


class Listed(NamedTuple):
    """A pair as the exchange lists it.

    :ivar ticker: altname
    :ivar base: base asset, as people write it
    :ivar quote: quote asset, as people write it
    :ivar status: ``online`` or another one; None = it is not listed
    """

    ticker: str
    base: str
    quote: str
    status: str | None


class SelectRule(BaseModel):
    """Takes pairs of the exchange into a tier."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tier: Tier = Field(description="The tier that the pairs come into.")
    quote: Code | None = Field(default=None, description="Quote asset such as USD; absent = any.")
    base: Code | None = Field(default=None, description="Base asset such as XBT; absent = any.")
    status: str = Field(
        default="online",
        pattern=STATUS,
        description="AssetPairs status of the pairs that are taken; one that was taken stays.",
    )
    include: Globs = Field(default=(), description="Tickers such as ETH*; absent = all.")
    exclude: Globs = Field(default=(), description="Tickers such as *EUR that are not taken.")

    def fits(self, pair: Listed, *, is_taken: bool) -> bool:
        """Return whether the rule takes a pair.

        :param is_taken: whether a rule took it before: then its status does not matter
        """
        return (
            (is_taken or pair.status == self.status)
            and _is(self.quote, pair.quote)
            and _is(self.base, pair.base)
            and (not self.include or _matches(pair.ticker, self.include))
            and not _matches(pair.ticker, self.exclude)
        )

    def __str__(self) -> str:
        """Return what the file says, such as ``quote: USD, tier: TIER4``."""
        said = self.model_dump(mode="json", exclude_defaults=True)
        worded = {
            name: f"[{', '.join(value)}]" if isinstance(value, list) else value
            for name, value in said.items()
        }
        return ", ".join(f"{name}: {value}" for name, value in worded.items())


def _is(wanted: str | None, code: str) -> bool:
    return wanted is None or SAME.get(wanted, wanted) == SAME.get(code, code)


def _matches(ticker: str, globs: Iterable[str]) -> bool:
    return any(fnmatchcase(ticker, glob) for glob in globs)


class Taken(NamedTuple):
    """A pair that a rule takes.

    :ivar ticker: altname
    :ivar base: base asset
    :ivar quote: quote asset
    :ivar tier: where it comes to
    :ivar rule: number of the rule, from 1
    """

    ticker: str
    base: str
    quote: str
    tier: str
    rule: int


def choose(
    rules: Sequence[SelectRule],
    pairs: Iterable[Listed],
    *,
    own: Iterable[str],
    taken: Mapping[str, object],
) -> list[Taken]:
    """Return the pairs that rules take.

    :param rules: in the order of the file; the first one that fits decides
    :param pairs: those that the exchange lists, and those taken before
    :param own: tickers with a line of their own, which no rule takes
    :param taken: tickers that rules took before
    :return: by ticker
    """
    mine = set(own)
    found = []
    for pair in sorted(pairs, key=lambda pair: pair.ticker):
        if pair.ticker in mine or is_tokenised(pair.ticker) or not TICKER.fullmatch(pair.ticker):
            continue
        for number, rule in enumerate(rules, start=1):
            if rule.fits(pair, is_taken=pair.ticker in taken):
                found.append(Taken(pair.ticker, pair.base, pair.quote, rule.tier, number))
                break
    return found


def idle(rules: Sequence[SelectRule], pairs: Iterable[Listed], *, taken: Container[str]) -> list[str]:
    """Return what to say of rules that fit no pair at all, a sentence each: nothing is kept by them.

    :param rules: in the order of the file
    :param pairs: those that the exchange lists, and those taken before
    :param taken: tickers that rules took before
    """
    known = list(pairs)
    return [
        f"rule {number} of select ({rule}) fits none of the {len(known):,} pairs of Kraken, so that it keeps "
        "nothing: correct it, or take it out of the file"
        for number, rule in enumerate(rules, start=1)
        if not any(rule.fits(pair, is_taken=pair.ticker in taken) for pair in known)
    ]

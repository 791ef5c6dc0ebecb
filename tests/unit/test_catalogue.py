"""The catalogue of assets: read, checked, refused with line and value."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from include.ohlcv.catalogue import CatalogueEntry, catalogue_file, read_catalogue
from include.ohlcv.errors import CatalogueError
from include.ohlcv.names import ASSETS_FILE_ENV

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """\
assets:
  - {ticker: XBTUSD, base: BTC, quote: USD, tier: TIER1}
  - ticker: 1INCHUSD
    base: "1INCH"
    quote: USD
    tier: TIER3
    active: false
    note: begins with a digit
"""


def written(folder: Path, text: str | bytes) -> Path:
    file = folder / "mine.yaml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


def test_entries_come_as_ordered_in_the_file_with_their_defaults(tmp_path: Path) -> None:
    assert read_catalogue(written(tmp_path, GOOD)) == [
        CatalogueEntry(ticker="XBTUSD", base="BTC", quote="USD", tier="TIER1", active=True, note=None),
        CatalogueEntry(
            ticker="1INCHUSD",
            base="1INCH",
            quote="USD",
            tier="TIER3",
            active=False,
            note="begins with a digit",
        ),
    ]


def test_the_catalogue_shipped_has_its_tiers() -> None:
    entries = read_catalogue()
    tiers = Counter(entry.tier for entry in entries)
    assert (tiers["TIER1"], tiers["TIER2"], tiers["TIER3"]) == (20, 30, 30)
    assert 1 <= tiers["TIER4"] <= 9
    assert {"XBTUSD", "ETHUSD", "XDGUSD"} < {entry.ticker for entry in entries if entry.tier == "TIER1"}
    assert "BTCUSD" not in {entry.ticker for entry in entries}


def test_the_environment_names_another_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path, GOOD)
    monkeypatch.setenv(ASSETS_FILE_ENV, str(file))
    assert catalogue_file() == file
    assert len(read_catalogue()) == 2
    monkeypatch.setenv(ASSETS_FILE_ENV, "")
    assert catalogue_file().name == "assets.yaml"


def entry(**changes: str) -> str:
    """Return a catalogue whose second entry, in line 3, is changed."""
    fields = {"ticker": "ETHUSD", "base": "ETH", "quote": "USD", "tier": "TIER1"} | changes
    inside = ", ".join(f"{name}: {value}" for name, value in fields.items())
    return f"assets:\n  - {{ticker: XBTUSD, base: BTC, quote: USD, tier: TIER1}}\n  - {{{inside}}}\n"


REFUSED = [
    pytest.param(entry(tier="TIER9"), ["line 3", "tier", "'TIER9'", "TIER1, TIER2"], id="unknown tier"),
    pytest.param(entry(tier="1"), ["line 3", "tier", "is 1"], id="a number for a tier"),
    pytest.param(
        entry(ticker="XBTUSD"), ["line 3", "'XBTUSD'", "already in line 2"], id="ticker given twice"
    ),
    pytest.param(entry(ticker="XBT/USD"), ["line 3", "ticker", "'XBT/USD'", "XBTUSD"], id="display name"),
    pytest.param(entry(ticker="ethusd"), ["line 3", "ticker", "'ethusd'"], id="lower case"),
    pytest.param(entry(ticker="ETH"), ["line 3", "ticker", "'ETH'"], id="no quote"),
    pytest.param(entry(ticker='"ETHUSD\\n"'), ["line 3", "ticker", r"'ETHUSD\n'"], id="a line break"),
    pytest.param(entry(ticker="12345"), ["line 3", "ticker", "12345"], id="a number for a ticker"),
    pytest.param(entry(base='""'), ["line 3", "base", "''"], id="empty base"),
    pytest.param(entry(base="NO"), ["line 3", "base", "False"], id="NO, which YAML takes for false"),
    pytest.param(entry(active="maybe"), ["line 3", "active", "'maybe'"], id="neither true nor false"),
    pytest.param(
        entry(history_from="soon"),
        ["line 3", "history_from", "'soon'", "2024-01-31"],
        id="history from no day",
    ),
    pytest.param(
        entry(history_from="2009-01-03"),
        ["line 3", "history_from", "2013-09-01"],
        id="history from before the exchange",
    ),
    pytest.param(entry(colour="red"), ["line 3", "colour", "'red'"], id="unknown key"),
    pytest.param(entry(quote="USD, quote: EUR"), ["line 3", "'quote'", "twice"], id="key given twice"),
    pytest.param(
        "assets:\n\n  - ticker: ETHUSD\n    base: ETH\n    tier: TIER1\n",
        ["line 3", "quote", "missing"],
        id="no quote key",
    ),
    pytest.param("assets:\n  - ETHUSD\n", ["'ETHUSD'", "mapping"], id="a bare name"),
    pytest.param("assets: ETHUSD\n", ["list named assets"], id="no list"),
    pytest.param("assets: []\n", ["list named assets"], id="empty list"),
    pytest.param("tickers: []\n", ["list named assets"], id="another name for the list"),
    pytest.param("- ETHUSD\n", ["list named assets"], id="a list at the top"),
    pytest.param("", ["list named assets"], id="empty file"),
    pytest.param("# nothing\n", ["list named assets"], id="only a comment"),
    pytest.param("assets: [\n", ["not YAML", "line 2"], id="not YAML"),
    pytest.param("assets:\n\t- x\n", ["not YAML", "line 2"], id="a tab"),
    pytest.param(b"assets: \x00\n", ["not YAML"], id="a control character"),
    pytest.param("assets: !!python/object:os.system x\n", ["not YAML", "line 1"], id="code"),
]


@pytest.mark.parametrize(("text", "said"), REFUSED)
def test_a_bad_catalogue_is_refused_with_line_and_value(
    tmp_path: Path, text: str | bytes, said: list[str]
) -> None:
    with pytest.raises(CatalogueError) as error:
        read_catalogue(written(tmp_path, text))
    for part in ["mine.yaml", *said]:
        assert part in str(error.value)


UNREADABLE = [
    pytest.param(
        "assets:\n  - {ticker: {{ name }}, base: B}\n", ["mine.yaml", "line 2"], id="an unrendered template"
    ),
    pytest.param(
        "assets:\n  - &x {ticker: XBTUSD, base: B, quote: Q, tier: TIER1}\n  - *x\n",
        ["'XBTUSD'"],
        id="an alias of an entry",
    ),
    pytest.param(b"assets:\n  - {ticker: XBTUSD, base: \xe9}\n", ["mine.yaml", "UTF-8"], id="not UTF-8"),
    pytest.param(
        "assets:\n  - {ticker: 2026-99-99}\n", ["mine.yaml", "not YAML"], id="a date that does not exist"
    ),
]


@pytest.mark.parametrize(("text", "said"), UNREADABLE)
def test_an_unreadable_catalogue_is_refused_in_the_same_way(
    tmp_path: Path, text: str | bytes, said: list[str]
) -> None:
    with pytest.raises(CatalogueError) as error:
        read_catalogue(written(tmp_path, text))
    for part in said:
        assert part in str(error.value)


def test_a_missing_file_is_refused_with_its_path_and_the_cure(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError) as error:
        read_catalogue(tmp_path / "none.yaml")
    assert str(tmp_path / "none.yaml") in str(error.value)
    assert ASSETS_FILE_ENV in str(error.value)


def test_a_folder_is_refused_like_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="directory"):
        read_catalogue(tmp_path)

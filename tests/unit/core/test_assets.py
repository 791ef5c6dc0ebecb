"""The catalogue of assets: read, checked, refused with line and value."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from kraken_ohlcv.core.assets import CatalogueEntry, catalogue_file, read_catalogue
from kraken_ohlcv.core.errors import CatalogueError
from kraken_ohlcv.core.settings import ASSETS_FILE_ENV

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
    assert read_catalogue(written(tmp_path, GOOD)).entries == [
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
    catalogue = read_catalogue()
    entries = catalogue.entries
    assert catalogue.problems == []
    tiers = Counter(entry.tier for entry in entries)
    assert (tiers["TIER1"], tiers["TIER2"], tiers["TIER3"]) == (20, 30, 30)
    assert 1 <= tiers["TIER4"] <= 9
    assert {"XBTUSD", "ETHUSD", "XDGUSD"} < {entry.ticker for entry in entries if entry.tier == "TIER1"}
    assert "BTCUSD" not in {entry.ticker for entry in entries}
    doubtful = {entry.ticker for entry in entries if not entry.listed}
    assert len(doubtful) == 15
    assert all(entry.note for entry in entries if not entry.listed)
    assert {entry.tier for entry in entries if not entry.listed} == {"TIER2", "TIER3"}


def test_the_environment_names_another_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path, GOOD)
    monkeypatch.setenv(ASSETS_FILE_ENV, str(file))
    assert catalogue_file() == file
    assert len(read_catalogue().entries) == 2
    monkeypatch.setenv(ASSETS_FILE_ENV, "")
    assert catalogue_file().name == "assets.yaml"


def entry(**changes: str) -> str:
    """Return a catalogue whose second entry, in line 3, is changed."""
    fields = {"ticker": "ETHUSD", "base": "ETH", "quote": "USD", "tier": "TIER1"} | changes
    inside = ", ".join(f"{name}: {value}" for name, value in fields.items())
    return f"assets:\n  - {{ticker: XBTUSD, base: BTC, quote: USD, tier: TIER1}}\n  - {{{inside}}}\n"


LINE_PROBLEMS = [
    pytest.param(entry(tier="TIER9"), ["line 3", "tier", "'TIER9'", "TIER1, TIER2"], id="unknown tier"),
    pytest.param(entry(tier="1"), ["line 3", "tier", "is 1"], id="a number for a tier"),
    pytest.param(
        entry(ticker="XBTUSD"), ["line 3", "'XBTUSD'", "already in line 2"], id="ticker given twice"
    ),
    pytest.param(entry(ticker="XBT/USD"), ["line 3", "ticker", "'XBT/USD'", "XBTUSD"], id="display name"),
    pytest.param(entry(ticker="ethusd"), ["line 3", "ticker", "'ethusd'"], id="lower case"),
    pytest.param(entry(ticker="ETH"), ["line 3", "ticker", "'ETH'"], id="no quote"),
    pytest.param(
        entry(ticker="AAPLxUSD"),
        ["line 3", "'AAPLxUSD'", "tokenised assets are not supported"],
        id="a tokenised asset",
    ),
    pytest.param(entry(ticker='"ETHUSD\\n"'), ["line 3", "ticker", r"'ETHUSD\n'"], id="a line break"),
    pytest.param(entry(ticker="12345"), ["line 3", "ticker", "12345"], id="a number for a ticker"),
    pytest.param(entry(base='""'), ["line 3", "base", "''"], id="empty base"),
    pytest.param(
        entry(base="NO"), ["line 3", "base", "False", "quotes"], id="NO, which YAML takes for false"
    ),
    pytest.param(
        entry(active="maybe"), ["line 3", "active", "'maybe'", "true or false"], id="neither true nor false"
    ),
    pytest.param(entry(listed="perhaps"), ["line 3", "listed", "'perhaps'"], id="listed or not"),
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
    pytest.param(
        entry(history_from="2026-99-99"),
        ["line 3", "history_from", "'2026-99-99'", "month"],
        id="a day that does not exist",
    ),
    pytest.param(entry(active="!!bool maybe"), ["line 3", "'maybe'", "!!bool"], id="a tag that is not true"),
    pytest.param(
        entry(history_from="!!timestamp soon"), ["line 3", "'soon'", "!!timestamp"], id="a tag of a time"
    ),
    pytest.param(entry(colour="red"), ["line 3", "colour", "'red'", "use ticker, base"], id="unknown key"),
    pytest.param(entry(quote="USD, quote: EUR"), ["line 3", "'quote'", "twice"], id="key given twice"),
    pytest.param(entry(base="[B, T, C]"), ["line 3", "base", "not a list"], id="a list for a value"),
    pytest.param(entry(base="!!python/object:os.system x"), ["line 3", "base", "python"], id="code"),
    pytest.param(
        "assets:\n  - &d {ticker: XBTUSD, base: B, quote: USD, tier: TIER1}\n  - {<<: *d, ticker: ETHUSD}\n",
        ["line 3", "merge keys (<<) are not supported", "write the fields"],
        id="a merge key",
    ),
    pytest.param(entry(base="{a: " * 30 + "1" + "}" * 30), ["line 3", "base", "not a list"], id="30 levels"),
    pytest.param(
        "assets:\n  - {ticker: XBTUSD, base: BTC, quote: USD, tier: TIER1}\n  - ETHUSD\n",
        ["line 3", "'ETHUSD'", "mapping"],
        id="a bare name",
    ),
    pytest.param(
        "assets:\n  - {ticker: XBTUSD, base: BTC, quote: USD, tier: TIER1}\n  - {{{ name }}: x}\n",
        ["line 3", "cannot be a key"],
        id="an unrendered template",
    ),
    pytest.param(
        "assets:\n  - {ticker: XBTUSD, base: BTC, quote: USD, tier: TIER1}\n"
        "  - ticker: ETHUSD\n    base: ETH\n    tier: TIER1\n",
        ["line 3", "quote", "missing"],
        id="no quote key",
    ),
]


@pytest.mark.parametrize(("text", "said"), LINE_PROBLEMS)
def test_a_bad_line_is_passed_over_and_named_with_line_and_value_and_the_others_count(
    tmp_path: Path, text: str, said: list[str]
) -> None:
    catalogue = read_catalogue(written(tmp_path, text))
    assert [one.ticker for one in catalogue.entries] == ["XBTUSD"]
    (problem,) = catalogue.problems
    assert problem.line == 3
    for part in ["mine.yaml", *said]:
        assert part in problem.said


def test_a_bad_line_names_the_ticker_that_it_is_about(tmp_path: Path) -> None:
    catalogue = read_catalogue(written(tmp_path, entry(tier="TIER9")))
    assert catalogue.tickers_with_problems == ["ETHUSD"]


@pytest.mark.parametrize("odd", ["ethusd", "ETH/USD", "Eth-Usd"])
def test_a_ticker_in_another_form_keeps_its_asset_as_it_is_and_from_the_rules(
    tmp_path: Path, odd: str
) -> None:
    catalogue = read_catalogue(written(tmp_path, entry(ticker=odd)))
    assert catalogue.tickers_with_problems == [odd, "ETHUSD"]


LAUGHS = "\n".join(
    ["assets:", "  - &a0 {ticker: XBTUSD, base: BTC, quote: USD, tier: TIER1}"]
    + [f"  - &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 40)]
)
ONE = "assets:\n  - {ticker: XBTUSD, base: BTC, quote: USD, tier: TIER1}\n"
REFUSED = [
    pytest.param("assets:\n  - ETHUSD\n", ["line 2", "'ETHUSD'", "mapping"], id="nothing but a bare name"),
    pytest.param("assets:\n  - {ticker: AAPLxUSD}\n", ["line 2"], id="nothing but a bad line"),
    pytest.param("assets: ETHUSD\n", ["list named assets"], id="no list"),
    pytest.param("assets: []\n", ["list named assets"], id="empty list"),
    pytest.param("tickers: []\n", ["'tickers'", "list named assets"], id="another name for the list"),
    pytest.param("- ETHUSD\n", ["list named assets"], id="a list at the top"),
    pytest.param("", ["list named assets"], id="empty file"),
    pytest.param("# nothing\n", ["list named assets"], id="only a comment"),
    pytest.param("assets: [\n", ["not YAML", "line 2", "brackets"], id="not YAML"),
    pytest.param("assets:\n\t- x\n", ["not YAML", "line 2", "spaces instead of tabs"], id="a tab"),
    pytest.param(b"assets: \x00\n", ["not YAML", "line 1", "#x00"], id="a control character"),
    pytest.param(f"{ONE}---\n{ONE}", ["not YAML", "line 3", "remove the lines ---"], id="two documents"),
    pytest.param(f"{ONE[:-2]}, note: was: A}}\n", ["not YAML", "line 2", "quotes"], id="a colon in a text"),
    pytest.param("assets: !!python/object:os.system x\n", ["list named assets", "line 1"], id="code"),
    pytest.param(ONE + "assets: []\n", ["line 3", "'assets'", "twice"], id="the list given twice"),
    pytest.param(b"assets:\n  - {ticker: XBTUSD, base: \xe9}\n", ["UTF-8"], id="not UTF-8"),
    pytest.param(f"assets: {'[' * 5000}\n", ["line 1", "inside each other"], id="5,000 brackets"),
    pytest.param(f"{ONE}  - {'{a: ' * 5000}\n", ["line 3", "inside each other"], id="5,000 mappings"),
    pytest.param(f"{ONE}{'# long' * 200_000}\n", ["bytes", "at most"], id="a file of a megabyte"),
    pytest.param(
        "defaults: &defaults {quote: USD, tier: TIER1}\n"
        "assets:\n  - {<<: *defaults, ticker: XBTUSD, base: BTC}\n",
        ["line 3", "merge keys (<<) are not supported"],
        id="merge keys with defaults of their own",
    ),
    pytest.param("assets:\n  - &a [*a]\n", ["line 2", "mapping"], id="a list that holds itself"),
]


@pytest.mark.parametrize(("text", "said"), REFUSED)
def test_a_catalogue_of_which_nothing_can_be_used_is_refused_with_line_and_value(
    tmp_path: Path, text: str | bytes, said: list[str]
) -> None:
    with pytest.raises(CatalogueError) as error:
        read_catalogue(written(tmp_path, text))
    for part in ["mine.yaml", *said]:
        assert part in str(error.value)
    assert len(str(error.value)) < 400
    assert "\n" not in str(error.value)


def test_aliases_of_aliases_are_passed_over_and_never_written_out(tmp_path: Path) -> None:
    catalogue = read_catalogue(written(tmp_path, LAUGHS))
    assert [one.ticker for one in catalogue.entries] == ["XBTUSD"]
    assert [problem.line for problem in catalogue.problems] == list(range(3, 42))
    assert all("mapping, not a list" in problem.said for problem in catalogue.problems)


def test_an_alias_of_an_entry_is_the_same_ticker_twice(tmp_path: Path) -> None:
    text = "assets:\n  - &x {ticker: XBTUSD, base: B, quote: Q, tier: TIER1}\n  - *x\n"
    (problem,) = read_catalogue(written(tmp_path, text)).problems
    assert "'XBTUSD' is already in line 2" in problem.said


def test_a_missing_file_is_refused_with_its_path_and_the_cure(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError) as error:
        read_catalogue(tmp_path / "none.yaml")
    assert str(tmp_path / "none.yaml") in str(error.value)
    assert ASSETS_FILE_ENV in str(error.value)


def test_a_folder_is_refused_like_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="directory"):
        read_catalogue(tmp_path)

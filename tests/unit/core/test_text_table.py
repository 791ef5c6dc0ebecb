"""Rows as lines that align."""

from kraken_ohlcv.core.text_table import text_table


def test_names_align_left_and_numbers_right_with_thousands() -> None:
    assert text_table(["series", "gaps", "share"], [["XBTUSD 60", 1200, "-"], ["ETHUSD 1440", 3, 99.5]]) == [
        "series        gaps  share",
        "XBTUSD 60    1,200      -",
        "ETHUSD 1440      3   99.5",
    ]


def test_without_rows_there_is_no_header() -> None:
    assert text_table(["series"], []) == []

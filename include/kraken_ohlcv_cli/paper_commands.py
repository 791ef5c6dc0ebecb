"""Commands that make papers for others: ``statement``, ``incident``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from kraken_ohlcv_cli.errors import finish
from kraken_ohlcv_cli.options import AsJson, CandlesUrl, LedgerUrl

Files: TypeAlias = Annotated[
    list[Path] | None,
    typer.Option("--out", "-o", help="File to write: .html or .json; may be repeated.", show_default=False),
]


def statement(
    tier: Annotated[str, typer.Argument(help="TIER1 to TIER4.")],
    month: Annotated[
        str | None, typer.Argument(help="UTC month such as 2026-10; default: the last one that is over.")
    ] = None,
    start: Annotated[
        str | None, typer.Option("--from", help="First UTC day of any range: 2026-10-01.", show_default=False)
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", help="UTC day behind the last one: 2026-10-15.", show_default=False)
    ] = None,
    out: Files = None,
    as_json: AsJson = False,
    candles_url: CandlesUrl = None,
    ledger_url: LedgerUrl = None,
) -> None:
    """Make a statement of a tier and a range: targets, figures, gaps, incidents, restatements.

    Ends with 1 when a target is missed, a seal is broken, or nothing is due. It is not kept; the ledger keeps
    the monthly ones that the completeness report makes.
    """
    from kraken_ohlcv.statement.document import is_good
    from kraken_ohlcv.statement.make import make_statement
    from kraken_ohlcv_cli import papers
    from kraken_ohlcv_cli.output import print_json
    from kraken_ohlcv_cli.stores import opened

    files = papers.checked(out or [])
    with opened(candles_url, ledger_url) as stores:
        now_s = int(stores.clock())
        period = papers.period_of(month, start, end, now_s=now_s)
        made = make_statement(stores.ledger, stores.questdb, tier, period, now_s=now_s)
    papers.write(files, html=made.html, text=made.text)
    if as_json:
        print_json(made.document)
    else:
        papers.show_statement(made.document, made.sha256, files)
    finish(is_good(made.document))


def incident(
    number: Annotated[
        int, typer.Argument(min=1, help="Number of the incident, as status and pages show it.")
    ],
    out: Files = None,
    as_json: AsJson = False,
    candles_url: CandlesUrl = None,
    ledger_url: LedgerUrl = None,
) -> None:
    """Tell what became of an incident: its candles, when it was detected, tries, sources, what is lost.

    Ends with 1 while the incident goes on, or when candles are lost for ever.
    """
    from kraken_ohlcv.statement.document import text_of
    from kraken_ohlcv.statement.paper import postmortem_html
    from kraken_ohlcv.statement.postmortem import make_postmortem
    from kraken_ohlcv_cli import papers
    from kraken_ohlcv_cli.output import print_json
    from kraken_ohlcv_cli.stores import opened

    files = papers.checked(out or [])
    with opened(candles_url, ledger_url) as stores:
        made = make_postmortem(stores.ledger, number, now_s=int(stores.clock()))
    papers.write(files, html=lambda: postmortem_html(made), text=text_of(made))
    if as_json:
        print_json(made)
    else:
        papers.show_incident(made, files)
    finish(made["is_over"] and not made["lost_for_ever"])

"""Commands that look: ``status``, ``gaps``, ``plan``, ``config check``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kraken_ohlcv.core.gap_choices import StatusChoice
from kraken_ohlcv_cli.errors import finish
from kraken_ohlcv_cli.options import (
    AsJson,
    CandlesUrl,
    FailOn,
    From,
    Intervals,
    LedgerUrl,
    Source,
    Tickers,
    Tier,
    To,
)


def status(
    tier: Tier = None,
    ticker: Tickers = None,
    interval: Intervals = None,
    start: From = None,
    end: To = None,
    every: Annotated[
        bool, typer.Option("--all", help="List every series, not the 60 least verified.")
    ] = False,
    as_json: AsJson = False,
    candles_url: CandlesUrl = None,
    ledger_url: LedgerUrl = None,
) -> None:
    """Show how complete each series is now, counted in the stores, and the open incidents.

    Ends with 1 when a due bucket is missing, a series begins later than --from, or nothing is expected, in
    all or of a ticker that is named.
    """
    from kraken_ohlcv_cli.output import print_json
    from kraken_ohlcv_cli.series import Selection
    from kraken_ohlcv_cli.status import read_status
    from kraken_ohlcv_cli.stores import opened

    selection = Selection(tier, ticker, interval, start, end)
    with opened(candles_url, ledger_url) as stores:
        found = read_status(stores.ledger, stores.questdb, selection, now_s=int(stores.clock()))
    if as_json:
        print_json(found.as_json())
    else:
        found.show(every=every)
    finish(found.is_complete)


def gaps(
    tier: Tier = None,
    ticker: Tickers = None,
    interval: Intervals = None,
    start: From = None,
    end: To = None,
    chosen: Annotated[
        StatusChoice, typer.Option("--status", help="Gaps in this state.", case_sensitive=False)
    ] = "open",
    limit: Annotated[int, typer.Option(min=0, help="Gaps to list at most; all are counted.")] = 100,
    fail_on: Annotated[
        FailOn,
        typer.Option(
            help="End with 1 when due candles are missing now, counted in the stores: any, accepted holes "
            "included (missing); any that nobody has accepted; any of these that expires within a day."
        ),
    ] = FailOn.NOTHING,
    as_json: AsJson = False,
    candles_url: CandlesUrl = None,
    ledger_url: LedgerUrl = None,
) -> None:
    """List the gaps that the last backfill recorded; fail a pipeline on missing candles."""
    from kraken_ohlcv_cli.gaps import read_gaps
    from kraken_ohlcv_cli.output import print_json
    from kraken_ohlcv_cli.series import Selection
    from kraken_ohlcv_cli.stores import opened

    selection = Selection(tier, ticker, interval, start, end)
    with opened(candles_url, ledger_url) as stores:
        found = read_gaps(
            stores.ledger,
            stores.questdb,
            selection,
            status=chosen,
            limit=limit,
            fail_on=fail_on,
            now_s=int(stores.clock()),
        )
    if as_json:
        print_json(found.as_json())
    else:
        found.show()
    finish(not found.fails)


def plan(
    tier: Annotated[
        str | None, typer.Option(help="Price a run of this tier, or ALL; default: TIER1.")
    ] = None,
    ticker: Annotated[
        list[str] | None, typer.Option("--ticker", "-t", help="Only this ticker; may be repeated.")
    ] = None,
    interval: Intervals = None,
    source: Annotated[
        list[Source] | None,
        typer.Option(
            "--from-source",
            help="Repair from this source; may be repeated. Default: as the tier is scheduled.",
        ),
    ] = None,
    start: Annotated[str | None, typer.Option("--from", help="First UTC day to repair.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="UTC day after the last one to repair.")] = None,
    trades_call_budget: Annotated[
        int | None, typer.Option(min=0, help="Calls that the run may make for trades.")
    ] = None,
    max_gaps: Annotated[
        int | None, typer.Option(min=0, help="Gaps per asset that may cause calls; 0 = no limit.")
    ] = None,
    lookback_days: Annotated[
        int | None, typer.Option(min=0, help="Skip series whose newest candle is older; 0 = no limit.")
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Claim failed gaps before their next attempt.")
    ] = False,
    ask_exchange: Annotated[
        bool,
        typer.Option(
            "--ask-exchange",
            help="Ask the exchange's clock, state and pairs first, through the shared limiter.",
        ),
    ] = False,
    exchange_url: Annotated[
        str | None,
        typer.Option(help="Base URL of the exchange; default: the ledger's.", rich_help_panel="Exchange"),
    ] = None,
    archive_url: Annotated[
        str | None,
        typer.Option(help="Folder with the archive; default: Kraken's.", rich_help_panel="Exchange"),
    ] = None,
    seconds_per_call: Annotated[
        float, typer.Option(min=0.001, help="Pace.", rich_help_panel="Exchange")
    ] = 1.0,
    max_clock_skew: Annotated[
        float,
        typer.Option(min=0, help="Seconds that its clock may differ.", rich_help_panel="Exchange"),
    ] = 300.0,
    as_json: AsJson = False,
    candles_url: CandlesUrl = None,
    ledger_url: LedgerUrl = None,
) -> None:
    """Price a repair: calls, minutes and bytes by source, and what would stay open and why.

    The steps of a backfill are taken in transactions that are rolled back: the ledger's login must be allowed
    to write, and nothing is kept. Without --ask-exchange no call is made, and what the ledger knows counts.
    """
    from kraken_ohlcv.price.plan import table
    from kraken_ohlcv_cli.output import print_json, print_lines
    from kraken_ohlcv_cli.plan import Exchange, price_repair

    made = price_repair(
        candles_url,
        ledger_url,
        Exchange(exchange_url, seconds_per_call, max_clock_skew, archive_url),
        ask_exchange=ask_exchange,
        tier=tier,
        days=(start, end),
        tickers=ticker,
        intervals=interval,
        repair_from=[one.value for one in source or ()],
        trades_call_budget=trades_call_budget,
        max_gaps_per_asset=max_gaps,
        lookback_days=lookback_days,
        retry_failed=retry_failed,
    )
    if as_json:
        print_json(made)
    else:
        print_lines(table(made))
        print_lines([*made["warnings"], *made["errors"]])
    finish(not made["errors"])


def check(
    assets_file: Annotated[
        Path | None,
        typer.Option(help="The plan of what is kept; default: OHLCV_ASSETS_FILE, or the shipped one."),
    ] = None,
    as_json: AsJson = False,
    candles_url: CandlesUrl = None,
    ledger_url: LedgerUrl = None,
) -> None:
    """Check the plan of what is kept, and both stores where their URLs are set; each fault with its cure."""
    from kraken_ohlcv_cli import checks
    from kraken_ohlcv_cli.output import print_json

    found = [*checks.check_plan(assets_file), *checks.check_stores(candles_url, ledger_url)]
    if as_json:
        print_json(checks.as_json(found))
    else:
        checks.show(found)
    finish(checks.is_good(found))

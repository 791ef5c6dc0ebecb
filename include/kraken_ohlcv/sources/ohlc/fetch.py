"""Fills the gaps of a series: one OHLC call, one write, read back, and only then the ledger."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from kraken_ohlcv.clients.errors import (
    KrakenError,
    KrakenMalformedReplyError,
    KrakenPermanentError,
    QuestDBError,
    UnknownPairError,
)
from kraken_ohlcv.clients.exchange.models import OhlcAnswer
from kraken_ohlcv.clients.exchange.retry import ATTEMPTS
from kraken_ohlcv.core.errors import FillError, FillRefusedError, ReadBackError
from kraken_ohlcv.core.evidence import SourceResult
from kraken_ohlcv.core.gap import FilledFrom, Series
from kraken_ohlcv.core.grid import floor_s
from kraken_ohlcv.core.wording import counted
from kraken_ohlcv.detection.clock import refuse_rows_of_the_future
from kraken_ohlcv.detection.oddities import note_oddities
from kraken_ohlcv.repair.apply import apply_result
from kraken_ohlcv.repair.attempt import begin, fail, give_up_pair, is_within_reach
from kraken_ohlcv.repair.context import FillAttempt, RunContext
from kraken_ohlcv.repair.tally import Tally
from kraken_ohlcv.repair.write import write
from kraken_ohlcv.sources.ohlc.parse import read_answer
from kraken_ohlcv.stores.ledger.assets import Asset, read_assets
from kraken_ohlcv.stores.ledger.runs import count_work
from kraken_ohlcv.stores.ledger.series_state import series_id_of
from kraken_ohlcv.stores.ledger.session import execute, fill_lock

log = logging.getLogger(__name__)

CALLS_PER_SERIES: Final = 2 * ATTEMPTS
"""At most: the candles, and the pair's first trade when they begin late."""


def fill_series(
    context: RunContext,
    asset: Asset,
    series: Series,
    *,
    hands_on: bool,
    is_recheck: bool = False,
    is_again: bool = False,
) -> None:
    """Fill the gaps that the run has planned for one series.

    :param context: what to work with
    :param asset: the series' asset
    :param series: ticker and interval, registered before
    :param hands_on: whether trades are to bring what the answer leaves open
    :param is_recheck: whether to ask without a gap, too: what is stored and proven is to be checked again
    :param is_again: whether the run has asked for it before
    :raises FillError: if gaps stay open for a passing reason
    :raises FillRefusedError: if gaps stay open for a reason that will not pass
    """
    with fill_lock(context.connection, series_id_of(context.connection, series)):
        state, attempted = begin(context, series, lambda gap: is_within_reach(gap, now_s=context.now_s))
        if not attempted and not is_recheck:
            log.info("%s: nothing left to do; others have filled its gaps meanwhile", series)
            return
        tried = [gap.missing_candles for gap in state.gaps if gap.gap_id in attempted]
        asked_s = context.clock()
        cron = asset.upkeep.cron(series.interval_minutes)
        try:
            result, start_s = _ask(context, asset, series, is_again=is_again)
            took_s = context.clock() - asked_s
            written = write(context, series, result)
            attempt = FillAttempt(
                attempted,
                cron,
                hands_on=hands_on,
                is_trading=asset.is_trading,
                is_recheck=is_recheck,
                start_s=start_s,
            )
            applied = apply_result(context, series, result, written, attempt)
        except UnknownPairError as error:
            give_up_pair(context, series, attempted, str(error), cron=cron)
            return
        except (KrakenError, QuestDBError, ReadBackError) as error:
            is_permanent = isinstance(error, KrakenPermanentError)
            fail(context, series, attempted, str(error), is_permanent=is_permanent, cron=cron)
            if is_recheck:
                said = {"source": FilledFrom.OHLC, "error": str(error)}
                execute(context.connection, "record_repair_error", context.run, series, said)
            raised = FillRefusedError if is_permanent else FillError
            raise raised(f"{series}: {error}") from error
        tally = Tally()
        tally.add(written, applied)
        log.info(
            "%s: %s; OHLC call (%.1f s): %s, %s; %s",
            series,
            _tried(tried),
            took_s,
            counted(len(result.traded), "candle"),
            counted(len(result.empty), "empty bucket"),
            tally.said(is_recheck=is_recheck),
        )
        if applied.problems:
            raise FillError(f"{series}: {'; '.join(applied.problems)}")


def _tried(missing: Sequence[int]) -> str:
    if not missing:
        return "no gap, its range is checked"
    return f"{sum(missing):,} missing in {counted(len(missing), 'gap')}"


def _ask(
    context: RunContext, asset: Asset, series: Series, *, is_again: bool
) -> tuple[SourceResult, int | None]:
    """Ask for the candles; return what the answer says, and where trading began if it begins late."""
    context.kraken.names[asset.ticker] = asset.names
    calls = context.kraken.calls
    try:
        answer = context.kraken.get_ohlc(
            series.ticker, series.interval_minutes, now_s=context.now_s, is_trading=asset.is_trading
        )
    finally:
        made = context.kraken.calls - calls
        spent = min(made, 0 if is_again else 1)
        count_work(
            context.connection,
            context.run,
            ohlc_calls=1,
            api_calls=made,
            ohlc_spent=spent,
            calls_retried=made - spent,
        )
    _refuse_rows_of_the_future(context, series, answer)
    result = read_answer(answer, now_s=context.now_s)
    note_oddities(
        context.connection,
        context.run,
        ticker=series.ticker,
        source=f"OHLC {series.interval_minutes}",
        n_rows=answer.n_rows,
        odd=[one.what for one in answer.odd],
        notes=answer.notes,
    )
    return result, _expected_start(context, asset, series, result)


def _refuse_rows_of_the_future(context: RunContext, series: Series, answer: OhlcAnswer) -> None:
    rows = [row.ts_s for row in (*answer.committed[-1:], answer.running) if row is not None]
    if rows:
        refuse_rows_of_the_future(
            context.connection, context.run, max(rows), now_s=context.now_s, what=f"OHLC {series}"
        )


def _expected_start(context: RunContext, asset: Asset, series: Series, result: SourceResult) -> int | None:
    """Return where the pair's trading began, when an answer that begins late makes that worth a call."""
    if not result.begins_late:
        return None
    # Read again: another interval of the same pair may have asked since.
    (known,) = read_assets(context.connection, tickers=[asset.ticker], tier="ALL")
    first_trade_s = known.first_trade_s
    if first_trade_s is None:
        calls = context.kraken.calls
        try:
            first = context.kraken.get_first_trade(asset.ticker)
        except KrakenMalformedReplyError as error:
            log.warning("%s: the start of trading is unknown: %s", series, error)
            return None
        finally:
            made = context.kraken.calls - calls
            # Only the answer showed that it is needed, so it is planned now.
            execute(context.connection, "plan_more_calls", context.run, calls=min(made, 1))
            count_work(
                context.connection,
                context.run,
                api_calls=made,
                ohlc_spent=min(made, 1),
                calls_retried=max(0, made - 1),
            )
        if first is None:
            return floor_s(context.now_s, series.interval_minutes)
        first_trade_s = float(first)
        execute(context.connection, "record_first_trade", asset, first_trade_s=first_trade_s)
    return floor_s(first_trade_s, series.interval_minutes)

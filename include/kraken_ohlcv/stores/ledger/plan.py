"""Table ``kept_plan``: what all processes agree is kept; task ``prepare`` writes what the file says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from psycopg.types.json import Jsonb

from kraken_ohlcv.core.selection import SelectRule
from kraken_ohlcv.core.tiers import SHIPPED, TierPlan, Upkeep
from kraken_ohlcv.stores.ledger.session import Connection, execute, execute_many, one, rows


class Kept(NamedTuple):
    """An asset that the plan keeps.

    :ivar ticker: altname
    :ivar base: base asset
    :ivar quote: quote asset
    :ivar tier: ``TIER1`` .. ``TIER4``
    :ivar active: whether tier runs take it
    :ivar kept_by: ``line`` or ``rule``
    """

    ticker: str
    base: str
    quote: str
    tier: str
    active: bool
    kept_by: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan of what is kept.

    :ivar tiers: every tier
    :ivar rules: in the order of the file
    :ivar passed_over: tickers of lines that cannot be used
    :ivar pace_s: shortest time between two calls, seconds
    :ivar n_calls: OHLC calls of a scheduled run, by tier: one per series expected
    """

    tiers: Mapping[str, TierPlan]
    rules: tuple[SelectRule, ...] = ()
    passed_over: Sequence[str] = ()
    pace_s: float = 1.0
    n_calls: Mapping[str, int] = field(default_factory=dict)

    def upkeep(self, tier: str, own: Sequence[int] | None) -> Upkeep:
        """Return how the series of an asset are kept.

        :param tier: the asset's tier
        :param own: its own intervals, minutes, or None
        """
        plan = self.tiers[tier]
        return Upkeep(plan, tuple(own or plan.intervals), self.n_calls.get(tier, 0), self.pace_s)


def read_plan(connection: Connection) -> Plan:
    """Return the plan as task ``prepare`` read it last, or the one shipped when it never did."""
    return one(connection, "read_plan", _plan)


def _plan(
    tiers: Mapping[str, Any] | None,
    rules: Sequence[Any] | None,
    passed_over: Sequence[str] | None,
    pace_s: float | None,
    kept: Mapping[str, Mapping[str, int]],
) -> Plan:
    made = SHIPPED if tiers is None else {tier: TierPlan.model_validate(said) for tier, said in tiers.items()}
    return Plan(
        tiers=made,
        rules=tuple(SelectRule.model_validate(rule) for rule in rules or ()),
        passed_over=passed_over or (),
        pace_s=pace_s or 1.0,
        n_calls={
            tier: counts["plain"] * len(made[tier].intervals) + counts["own"] for tier, counts in kept.items()
        },
    )


def write_plan(
    connection: Connection,
    tiers: Mapping[str, TierPlan],
    rules: Sequence[SelectRule],
    passed_over: Sequence[str],
    *,
    pace_s: float,
) -> None:
    """Record the plan as the file says it; an unchanged one is not written.

    :param tiers: every tier
    :param rules: in the order of the file
    :param passed_over: tickers of lines that cannot be used
    :param pace_s: shortest time between two calls, seconds, > 0
    """
    execute(
        connection,
        "write_plan",
        tiers={tier: plan.model_dump(mode="json") for tier, plan in tiers.items()},
        rules=Jsonb([rule.model_dump(mode="json") for rule in rules]),
        passed_over=list(passed_over),
        pace_s=pace_s,
    )


def list_kept(connection: Connection) -> list[Kept]:
    """Return the assets that lines or rules of the plan keep, by ticker."""
    return rows(connection, "list_kept", Kept)


def take_pairs(connection: Connection, taken: Sequence[Mapping[str, Any]], let_go: Sequence[str]) -> None:
    """Bring the pairs that rules take into their tiers, and switch off those that none takes any more.

    :param taken: ``{"ticker", "base", "quote", "tier", "note"}``
    :param let_go: tickers; candles and gaps stay
    """
    with connection.transaction():
        execute_many(connection, "take_pair", taken)
        execute(connection, "let_go", tickers=list(let_go))

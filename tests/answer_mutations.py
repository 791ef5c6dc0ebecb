"""How answers of the exchange are spoilt, and what a spoilt answer may still be believed for.

A value is ``{"body": envelope, "cut": None}``: the parsed envelope, and what part of its bytes is sent. What
a mutation did not touch is found by comparing spoilt rows with sound ones, not by remembering what it did.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Any, Final

from simulators.exchange.wire import parsed, written
from tests.mutations import (
    DETECTABLE,
    SILENT,
    Mutation,
    NotApplicableError,
    in_place,
    key_mutations,
    row_mutations,
    some,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

OHLC_ROW: Final = 8


def value_of(body: bytes) -> dict[str, Any]:
    """Return a sound body as a value to be spoilt.

    :param body: of a successful answer
    """
    return {"body": parsed(body), "cut": None}


def bytes_of(value: dict[str, Any]) -> bytes:
    """Return the body of a spoilt value.

    :param value: see the module
    """
    body = written(value["body"])
    return body if value["cut"] is None else body[: max(1, int(value["cut"] * len(body)))]


def result_of(value: Any) -> Any:
    """Return the result of an envelope."""
    body = value["body"]
    return body.get("result") if isinstance(body, dict) else None


def rows_of(value: Any) -> Any:
    """Return the rows of an OHLC or Trades answer: the longest list there is."""
    result = result_of(value)
    lists = [one for one in result.values() if isinstance(one, list)] if isinstance(result, dict) else []
    return max(lists, key=len, default=[])


def _cut(value: dict[str, Any], chance: Random) -> None:
    value["cut"] = chance.random()


def _foreign(body: bytes) -> Callable[[Any, Random], Any]:
    return in_place(lambda value, _: value.update(body=parsed(body)))


def _on_row(change: Callable[[list[Any], Random], None]) -> Callable[[Any, Random], Any]:
    """Return a mutation of one sound row."""
    return in_place(lambda rows, chance: change(rows[some(rows, chance)], chance), rows_of)


def common(foreign: Sequence[bytes] = ()) -> list[Mutation]:
    """Return the mutations of every answer: of its envelope, its result, its length; all are detectable.

    :param foreign: bodies that a cache may put in its place
    """
    return [
        Mutation("cut off", DETECTABLE, in_place(_cut)),
        *key_mutations(lambda value: value["body"], name="envelope key"),
        *key_mutations(result_of, name="result key"),
        *(
            Mutation(f"other body {nth}", DETECTABLE, _foreign(body))
            for nth, body in enumerate(foreign, start=1)
        ),
    ]


def _time_elsewhere(row: list[Any], chance: Random, *, step_s: int) -> None:
    row[0] += step_s * chance.choice([-300, -2, -1, 1, 2, 300])


def _time_off(row: list[Any], chance: Random) -> None:
    row[0] += chance.choice([1, 7, -13])


def _impossible(row: list[Any], chance: Random) -> None:
    at, text = chance.choice([(2, "0.00001"), (3, "999999999.0"), (1, "0.0"), (4, "-1.0"), (6, "-0.5")])
    if row[7] == 0 and at == 6:
        text = "0.5"
    row[at] = text


def _count_without_volume(row: list[Any], chance: Random) -> None:
    del chance
    if (row[7] == 0) != (float(row[6]) == 0):
        raise NotApplicableError  # a second time would make it sound again
    row[7] = 0 if row[7] else 3


def _higher(row: list[Any], chance: Random) -> None:
    del chance
    if not row[7]:
        raise NotApplicableError
    row[2] = str(float(row[2]) * 2)


def _more_trades(row: list[Any], chance: Random) -> None:
    if not row[7]:
        raise NotApplicableError
    row[7] += chance.choice([1, 100])


def _other_volume(row: list[Any], chance: Random) -> None:
    del chance
    if not row[7]:
        raise NotApplicableError
    row[6] = str(float(row[6]) * 3)


def _flattened(row: list[Any], chance: Random) -> None:
    del chance
    if not row[7]:
        raise NotApplicableError
    row[1:] = [row[1], row[1], row[1], row[1], "0.0", "0.00000000", 0]


def ohlc_mutations(step_s: int, foreign: Sequence[bytes]) -> list[Mutation]:
    """Return the mutations of an OHLC answer.

    :param step_s: candle length, seconds
    :param foreign: bodies of another pair and of other intervals
    """
    return [
        *common(foreign),
        # A row left out claims nothing, so that nothing false can come of it.
        *row_mutations(rows_of, dropped=DETECTABLE),
        Mutation(
            "time of another bucket",
            DETECTABLE,
            _on_row(lambda row, c: _time_elsewhere(row, c, step_s=step_s)),
        ),
        Mutation("time off the grid", DETECTABLE, _on_row(_time_off)),
        Mutation("impossible number", DETECTABLE, _on_row(_impossible)),
        Mutation("count without volume", DETECTABLE, _on_row(_count_without_volume)),
        Mutation("higher high", SILENT, _on_row(_higher)),
        Mutation("more trades", SILENT, _on_row(_more_trades)),
        Mutation("other volume", SILENT, _on_row(_other_volume)),
        Mutation("a traded row flat", SILENT, _on_row(_flattened)),
    ]


def _odd_price(row: list[Any], chance: Random) -> None:
    row[chance.randrange(2)] = chance.choice(["0.00000", "-1", None, "x", ""])


def _price(row: list[Any], chance: Random) -> None:
    row[0] = str(float(row[0]) * chance.choice([0.5, 2]))


def _id_far_off(row: list[Any], chance: Random) -> None:
    row[6] += chance.choice([-(10**6), 10**6])


def _id_of_another(rows: list[Any], chance: Random) -> None:
    one, other = some(rows, chance, least=2), some(rows, chance)
    if rows[one] == rows[other]:
        raise NotApplicableError
    rows[one][6] = rows[other][6]


def _trade_time(row: list[Any], chance: Random) -> None:
    seconds = float(str(row[2]).strip("~")) + chance.choice([-90_000, 90_000])
    row[2] = f"~{seconds:.4f}~"


def trades_mutations(foreign: Sequence[bytes], *, is_lasting: bool) -> list[Mutation]:
    """Return the mutations of a page of trades.

    :param foreign: bodies of another pair
    :param is_lasting: whether the page is spoilt each time it is asked for: then a trade that is left out
        leaves a jump of ids, as the real exchange may have, and candles that only fill holes
    """
    lost = SILENT if is_lasting else DETECTABLE
    return [
        *common(foreign),
        *row_mutations(rows_of, dropped=lost),
        Mutation("odd price or volume", DETECTABLE, _on_row(_odd_price)),
        Mutation("time of another day", DETECTABLE, _on_row(_trade_time)),
        Mutation("id far off", DETECTABLE, _on_row(_id_far_off)),
        Mutation("id of another trade", DETECTABLE, in_place(_id_of_another, rows_of)),
        Mutation("other price", SILENT, _on_row(_price)),
    ]


def _other_time(result: Any, chance: Random) -> None:
    result["unixtime"] += chance.choice([-86_400 * 40, -7200, 7200, 10**9])


def _other_text(result: Any, chance: Random) -> None:
    result["rfc1123"] = chance.choice(["Mon, 23 Nov 26 02:00:00 +0000", "soon"])


def _other_status(result: Any, chance: Random) -> None:
    result["status"] = chance.choice(["maintenance", "cancel_only", "online"])


ROW_MUTATIONS: Final = frozenset(one.name for one in row_mutations(rows_of))
"""Names of those that touch single rows, in each format."""
ROW_ONLY: Final = ROW_MUTATIONS | {
    "time of another bucket",
    "time off the grid",
    "impossible number",
    "count without volume",
}
"""Names of detectable ones that touch single rows of an OHLC answer, so that its other rows count."""

PAIR_MUTATIONS: Final = [
    *common(),
    *key_mutations(lambda value: result_of(value)["XXBTZUSD"], name="field of a pair"),
    *key_mutations(lambda value: result_of(value)["SOLUSD"], name="field of another pair"),
]
TIME_MUTATIONS: Final = [
    *common(),
    Mutation("another time", DETECTABLE, in_place(_other_time, result_of)),
    Mutation("another text", DETECTABLE, in_place(_other_text, result_of)),
]
STATUS_MUTATIONS: Final = [*common(), Mutation("another status", SILENT, in_place(_other_status, result_of))]


def is_same(one: Any, other: Any) -> bool:
    """Return whether two parts of answers are sent alike; to Python, true is 1."""
    return repr(one) == repr(other)


def untouched(sound: Sequence[list[Any]], spoilt: Any, step_s: int) -> set[int]:
    """Return the open times whose rows no mutation touched, nor moved.

    :param sound: rows of the sound answer
    :param spoilt: rows of the spoilt one, or anything
    :param step_s: candle length, seconds
    :return: open times of sound rows that stand alone in their bucket, and in order whatever is left out
    """
    if not isinstance(spoilt, list):
        return set()
    original = {row[0]: row for row in sound}
    spoilt_buckets: set[int] = set()
    places: list[tuple[int, list[Any]]] = []
    for row in spoilt:
        ts_s = row[0] if isinstance(row, list) and row and type(row[0]) is int else None
        if ts_s is None:
            continue
        if not is_same(row, original.get(ts_s)):
            spoilt_buckets.add(ts_s // step_s * step_s)
        places.append((ts_s, row))
    alone = _in_every_order([ts_s for ts_s, _ in places])
    kept = {ts_s for ts_s, row in places if is_same(row, original.get(ts_s))}
    return {ts_s for ts_s in kept if ts_s in alone and ts_s not in spoilt_buckets}


def _in_every_order(times: Sequence[int]) -> set[int]:
    """Return what stands in each of the longest ascending parts of a sequence."""
    ending = _lengths(times)
    starting = _lengths([-ts_s for ts_s in reversed(times)])[::-1]
    longest = max(ending, default=0)
    levels: dict[int, set[int]] = {}
    for ts_s, before, after in zip(times, ending, starting, strict=True):
        if before + after - 1 == longest:
            levels.setdefault(before, set()).add(ts_s)
    return {ts_s for found in levels.values() if len(found) == 1 for ts_s in found}


def _lengths(times: Sequence[int]) -> list[int]:
    """Return how long the longest ascending part is that ends at each place."""
    tails: list[int] = []
    lengths = []
    for ts_s in times:
        at = bisect_left(tails, ts_s)
        tails[at : at + 1] = [ts_s]
        lengths.append(at + 1)
    return lengths

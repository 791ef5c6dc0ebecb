-- QuestDB. Rows of a series in the old application's candle table, ascending.
-- Params: table, columns (old name by ours), sources (of the rows, one or more).
-- In: asset_id, quote, minutes, low and high (times, half-open), source_0, source_1, ...
-- Out: us (epoch microseconds), open, high, low, close, volume, trades, old_source.
SELECT
    cast("{{ params.columns.time }}" AS TIMESTAMP)::long,
    "{{ params.columns.open }}",
    "{{ params.columns.high }}",
    "{{ params.columns.low }}",
    "{{ params.columns.close }}",
    "{{ params.columns.volume }}",
    "{{ params.columns.trades }}",
    "{{ params.columns.source }}"
FROM "{{ params.table }}"
WHERE "{{ params.columns.asset_id }}" = %(asset_id)s
    AND "{{ params.columns.quote }}" = %(quote)s
    AND "{{ params.columns.interval_minutes }}" = %(minutes)s
    AND "{{ params.columns.time }}" >= %(low)s
    AND "{{ params.columns.time }}" < %(high)s
    AND "{{ params.columns.source }}" IN (
        {%- for source in params.sources %}{{ ", " if not loop.first }}%(source_{{ loop.index0 }})s{% endfor -%}
    )
ORDER BY "{{ params.columns.time }}"

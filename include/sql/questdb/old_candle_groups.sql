-- QuestDB. What the old application's candle table holds, by asset, quote, interval and source.
-- Params: table, columns (old name by ours). Out: asset_id, quote, interval_minutes, source, oldest and newest
-- open time (epoch microseconds, also of a time in nanoseconds), n (rows).
SELECT
    "{{ params.columns.asset_id }}",
    "{{ params.columns.quote }}",
    "{{ params.columns.interval_minutes }}",
    "{{ params.columns.source }}",
    cast(min("{{ params.columns.time }}") AS TIMESTAMP)::long,
    cast(max("{{ params.columns.time }}") AS TIMESTAMP)::long,
    count()
FROM "{{ params.table }}"

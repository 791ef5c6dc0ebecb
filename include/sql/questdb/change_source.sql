{#- QuestDB. Give the same candles another source. The write is readable later.
    Template and In: as for source_blocks; present (the source that they get), moment_us (of the write, epoch
    microseconds). -#}
UPDATE ohlcv
SET source = %(present)s, stored_at = %(moment_us)s
WHERE ticker = %(ticker)s
    AND interval = %(interval)s
    AND source = %(former)s
    {%- if is_without_vwap %}
    AND vwap IS NULL
    {%- endif %}
    AND ts >= %(from_us)s
    AND ts < %(until_us)s

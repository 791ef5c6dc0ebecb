-- PostgreSQL. Upgrade

ALTER TABLE backfill_runs
    ADD COLUMN trade_calls integer NOT NULL DEFAULT 0 CHECK (trade_calls >= 0),
    ADD COLUMN trade_calls_planned integer NOT NULL DEFAULT 0 CHECK (trade_calls_planned >= 0);

UPDATE backfill_runs AS r
SET trade_calls = e.made, trade_calls_planned = e.taken
FROM (
    SELECT dag_id, run_id, sum(made) AS made, sum(greatest(allotted, made)) AS taken
    FROM trade_errands
    GROUP BY dag_id, run_id
) AS e
WHERE r.dag_id = e.dag_id AND r.run_id = e.run_id;

ALTER TABLE trade_errands DROP COLUMN allotted, DROP COLUMN made;

-- PostgreSQL. Downgrade

ALTER TABLE trade_errands
    ADD COLUMN allotted integer NOT NULL DEFAULT 0 CHECK (allotted >= 0),
    ADD COLUMN made integer NOT NULL DEFAULT 0 CHECK (made >= 0);

ALTER TABLE backfill_runs DROP COLUMN trade_calls, DROP COLUMN trade_calls_planned;

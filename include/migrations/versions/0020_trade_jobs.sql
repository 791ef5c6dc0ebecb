-- PostgreSQL. Upgrade

-- Rows and grants stay, so that a walk that is under way goes on.
ALTER TABLE trade_errands RENAME COLUMN errand_id TO job_id;
ALTER SEQUENCE trade_errands_errand_id_seq RENAME TO trade_jobs_job_id_seq;
ALTER TABLE trade_errands RENAME TO trade_jobs;
ALTER TABLE trade_passes RENAME TO trade_cursors;

-- Which constraints have names of their own depends on the server's version.
DO $$
DECLARE
    one record;
BEGIN
    FOR one IN
        SELECT
            conrelid::regclass AS relation,
            conname,
            replace(
                replace(replace(conname, 'trade_errands', 'trade_jobs'), 'trade_passes', 'trade_cursors'),
                'errand_id',
                'job_id'
            ) AS renamed
        FROM pg_constraint
        WHERE conrelid IN ('trade_jobs'::regclass, 'trade_cursors'::regclass)
    LOOP
        IF one.conname <> one.renamed THEN
            EXECUTE format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I', one.relation, one.conname, one.renamed);
        END IF;
    END LOOP;
END
$$;

-- PostgreSQL. Downgrade

DO $$
DECLARE
    one record;
BEGIN
    FOR one IN
        SELECT
            conrelid::regclass AS relation,
            conname,
            replace(
                replace(replace(conname, 'trade_jobs', 'trade_errands'), 'trade_cursors', 'trade_passes'),
                'job_id',
                'errand_id'
            ) AS renamed
        FROM pg_constraint
        WHERE conrelid IN ('trade_jobs'::regclass, 'trade_cursors'::regclass)
    LOOP
        IF one.conname <> one.renamed THEN
            EXECUTE format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I', one.relation, one.conname, one.renamed);
        END IF;
    END LOOP;
END
$$;

ALTER TABLE trade_cursors RENAME TO trade_passes;
ALTER TABLE trade_jobs RENAME TO trade_errands;
ALTER SEQUENCE trade_jobs_job_id_seq RENAME TO trade_errands_errand_id_seq;
ALTER TABLE trade_errands RENAME COLUMN job_id TO errand_id;

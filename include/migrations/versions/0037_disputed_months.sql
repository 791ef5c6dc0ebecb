-- PostgreSQL. Upgrade

-- Disputes are rare: a monitoring system that asks for them every minute does not read the pages without one.
CREATE INDEX coverage_months_disputed ON coverage_months (ticker, interval_minutes)
WHERE disputed IS NOT NULL;

-- PostgreSQL. Downgrade

DROP INDEX coverage_months_disputed;

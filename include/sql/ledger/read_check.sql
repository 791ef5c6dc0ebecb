-- PostgreSQL. Whether a check that is made once was made. In: name. Out: found (how much it found).
SELECT found
FROM one_off_checks
WHERE name = %(name)s

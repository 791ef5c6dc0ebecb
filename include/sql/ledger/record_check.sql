-- PostgreSQL. Remember that a check that is made once was made. In: name, found (how much it found).
INSERT INTO one_off_checks (name, found)
VALUES (%(name)s, %(found)s)
ON CONFLICT (name) DO NOTHING

"""Commands that prepare a deployment: stores, pool, logins of the pages."""

"""Papers for somebody without the stores: a statement of a tier and a range, a post-mortem of an incident.

Everything they say is counted in the stores or read from the ledger; what cannot be known is named.
docs/STATEMENT.md describes both.
"""

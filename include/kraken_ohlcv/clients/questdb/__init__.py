"""QuestDB over PGWire, and in bulk over ILP/HTTP."""

"""One module per migration, in one chain."""

"""Domain code, SQL templates and the catalogue of assets."""

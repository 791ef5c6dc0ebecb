"""What people are told about incidents, and how it gets to them."""

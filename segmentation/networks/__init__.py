"""Networks as plans, and their modules."""

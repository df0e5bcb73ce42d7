"""Citation graphs and where they come from."""

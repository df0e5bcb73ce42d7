"""auxiliary-cells."""

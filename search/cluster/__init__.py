"""A search on many machines: candidates are trained elsewhere, by the workers of a Ray cluster."""

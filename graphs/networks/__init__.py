"""Networks on a graph: how they are trained, and how they are exported."""

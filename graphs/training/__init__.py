"""Training on the labelled nodes of one graph."""

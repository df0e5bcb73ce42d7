"""Weights that all networks of a space share."""

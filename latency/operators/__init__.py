"""Operators of a net after fusion: the common language of measurements, predictions and spaces."""

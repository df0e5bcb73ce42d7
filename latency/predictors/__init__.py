"""Latency predictors behind one contract."""

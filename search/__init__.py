"""Spaces, budgets, evaluators, strategies and the runner that ties them together."""

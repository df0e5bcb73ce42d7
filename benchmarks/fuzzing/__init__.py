"""Mutated inputs, run one after another in a limited process; ``benchmarks/fuzz.py`` is the command."""

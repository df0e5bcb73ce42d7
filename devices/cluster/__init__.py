"""Devices of the machines of a Ray cluster."""

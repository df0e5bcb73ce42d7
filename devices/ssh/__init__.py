"""Devices of other machines, over ssh."""

"""Synthetic portraits, painted by a program with their exact masks."""

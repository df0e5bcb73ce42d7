"""A drawer of equal devices."""

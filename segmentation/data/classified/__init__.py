"""Data in which a picture as a whole has one class."""

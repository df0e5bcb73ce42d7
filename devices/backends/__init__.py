"""One folder for each runtime."""

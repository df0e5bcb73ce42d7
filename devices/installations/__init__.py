"""Runtimes and converters that are heavy or proprietary: installed on demand, each into a folder of its own."""

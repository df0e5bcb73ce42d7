"""An example of a package that extends latseg: a device, a space with its task, a strategy, a format and data."""

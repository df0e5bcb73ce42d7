"""An invented machine."""

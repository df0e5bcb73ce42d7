"""The process in which a runtime lives, and the parent's side of it."""

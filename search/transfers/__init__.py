"""A net of a run is trained for another task."""

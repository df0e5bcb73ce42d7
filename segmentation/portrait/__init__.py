"""The networks of the ``portrait`` space."""

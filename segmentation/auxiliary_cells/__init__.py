"""The networks of the ``auxiliary-cells`` space."""

"""The networks of the ``templates`` space."""

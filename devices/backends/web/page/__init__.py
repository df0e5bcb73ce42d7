"""The page that makes a browser a device: static files, served as they are."""

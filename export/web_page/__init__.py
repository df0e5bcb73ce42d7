"""The page that segments photographs and the camera in a browser."""

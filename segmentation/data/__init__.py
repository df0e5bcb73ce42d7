"""Sources of image and mask pairs."""

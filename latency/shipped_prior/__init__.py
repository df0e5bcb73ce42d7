"""The prior that comes with the package: files only, read by ``latency/predictors/prior_folder.py``."""

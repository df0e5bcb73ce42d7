"""What every package may use: errors, progress, registries, and files written whole. It imports nothing of ours."""

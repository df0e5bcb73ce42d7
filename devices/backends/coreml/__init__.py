"""Apple's converter to Core ML; models run on Apple's systems only."""

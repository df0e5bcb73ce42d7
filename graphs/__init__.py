"""Graph neural networks: layers, data and training."""

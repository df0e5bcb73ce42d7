"""Graph neural networks of two layers that classify the nodes of a citation graph."""

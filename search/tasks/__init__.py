"""What architectures are trained for."""

"""Full training of one network."""

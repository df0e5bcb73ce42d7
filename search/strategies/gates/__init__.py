"""What strategies that train gates on shared weights have in common."""

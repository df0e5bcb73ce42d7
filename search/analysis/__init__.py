"""What a search did: its trials read, findings in words, pictures and tables."""

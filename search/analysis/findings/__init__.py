"""What a search shows, in words: one file per finding, each with the threshold that it rests on."""

"""Rules that hand the output error to the end of each block at once."""

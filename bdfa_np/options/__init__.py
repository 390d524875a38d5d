"""One truth about options: what they are, what they must be, and where a value comes from."""

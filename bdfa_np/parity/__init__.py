"""Whether two backends compute the same."""

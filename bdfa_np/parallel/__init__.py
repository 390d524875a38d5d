"""One run in several processes, each with a share of every batch."""

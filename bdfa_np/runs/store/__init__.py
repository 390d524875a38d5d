"""What a run folder is made of: its lock, how a new run takes it, and the files that grow by a line an epoch."""

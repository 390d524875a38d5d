"""How many threads a run computes with."""

"""Diagrams: what is drawn of a rule and not of a run."""

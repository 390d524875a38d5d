"""Choosing options, such as learning rates, for each of a study's cells, by errors on validation images."""

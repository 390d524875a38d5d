"""Readers of files as people publish and keep them; every failure is one line."""

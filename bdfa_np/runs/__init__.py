"""Runs and their folders: what is kept of them, and how they go on."""

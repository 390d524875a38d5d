"""Prepared data, kept in files."""

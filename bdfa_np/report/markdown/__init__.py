"""A Markdown page of a study whose every number is filled in from raw tables, which lie beside it as CSV."""

"""What the files are called that have to do with trust."""

NETWORK_COPY, RULE_COPY = COPIES = "network_copy.py", "rule_copy.py"
"""A run folder's copies of a net's and a rule's file. A folder that somebody's own files lie in has none of these."""
LIST = "trusted.toml"
"""The user's own list of files that may be run unasked."""

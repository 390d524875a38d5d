"""A small fuzzer: mutations, an engine that runs them in children, and a table of this project's readers."""

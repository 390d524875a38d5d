"""What the commands that prepare data share."""

RECIPE_OPTIONS = (
    "label",
    "test_fraction",
    "datapath",
    "cache_dir",
    "no_extra",
    "resize",
    "format",
    "normalization",
    "whiten",
    "zca_epsilon",
    "validate",
    "train_limit",
    "seed",
    "threads",
)
"""The options of a run that its prepared data depend on, or that say where and how they are made."""

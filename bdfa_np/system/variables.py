"""The variables of the environment that bdfa reads, and what each does."""

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Variable:
    """A variable of the environment.

    Attributes
    ----------
    name : str
        What it is called.
    meaning : str
        What it does, in a sentence.
    option : str, default ""
        The name of the option that goes before it, or that it is for; without one it is for all commands.
    instead_of : str, default ""
        The folder that is used where it is not set, as Linux has it.
    """

    name: str
    meaning: str
    option: str = ""
    instead_of: str = ""

    def value(self) -> str | None:
        """Return what it holds; None where it is not set, or empty."""
        return os.environ.get(self.name) or None


DATA_DIR = Variable(
    "BDFA_DATA_DIR",
    "Folder of the data sets, where --datapath names none.",
    option="datapath",
    instead_of="~/.cache/bdfa-np/datasets",
)
CACHE_DIR = Variable(
    "BDFA_CACHE_DIR",
    "Folder of prepared data, where --cache-dir names none.",
    option="cache_dir",
    instead_of="~/.cache/bdfa-np/prepared",
)
CONFIG_DIR = Variable(
    "BDFA_CONFIG_DIR",
    "Folder of trusted.toml, the list of Python files that are run unasked: those that you named yourself, or allowed "
    "by --trust.",
    option="trust",
    instead_of="~/.config/bdfa-np",
)
WORKER_DIR = Variable(
    "BDFA_WORKER_DIR",
    "On a cluster's worker: folder of runs that --collect brings back, in place of Dask's.",
    option="collect",
)
OTHERS = (
    Variable("CUDA_VISIBLE_DEVICES", "Which CUDA devices there are: --device counts those.", option="device"),
    Variable("COLUMNS", "How wide lines are, in place of the terminal's width."),
    Variable("NO_COLOR", "Anything but nothing: no colours."),
)
"""Those that other libraries read for us."""
VARIABLES = (DATA_DIR, CACHE_DIR, CONFIG_DIR, WORKER_DIR, *OTHERS)
"""All of them."""

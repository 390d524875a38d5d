"""The known data sets by name. This module loads no NumPy, so that the command line can list the names at once."""

from bdfa_np.data.sources.catalogue import CATALOGUE
from bdfa_np.data.sources.kinds import Entry
from bdfa_np.errors import DataError

ENTRIES: dict[str, Entry] = {entry.name: entry for entry in CATALOGUE}


def dataset_names() -> tuple[str, ...]:
    """Return the names of the known data sets, in the order of the registry.

    Returns
    -------
    tuple of str
        For example ``("mnist", "mnist-5k", "cifar10")``.
    """
    return tuple(ENTRIES)


def find_entry(name: str) -> Entry:
    """Return the entry of a data set.

    Parameters
    ----------
    name : str
        Its name, in any mixture of cases, with or without hyphens: ``"CIFAR-10"`` is ``"cifar10"``.

    Returns
    -------
    Entry
        What is known of the data set.

    Raises
    ------
    DataError
        If there is no data set of that name.
    """
    for entry in ENTRIES.values():
        if _plain(entry.name) == _plain(name):
            return entry
    raise DataError(f"unknown data set {name!r}: choose one of {', '.join(dataset_names())}")


def _plain(name: str) -> str:
    return name.lower().replace("-", "")

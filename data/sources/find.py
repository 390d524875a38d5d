"""Where a data set comes from: the one place that tells a published one from one of the user's own. Loads no NumPy."""

import os

from bdfa_np.data.recipe import Recipe
from bdfa_np.data.sources.handed import PREFIX, HandedOver
from bdfa_np.data.sources.own import NO_TABLE, SUFFIXES, Own
from bdfa_np.data.sources.published import Published
from bdfa_np.data.sources.registry import find_entry
from bdfa_np.errors import ConfigError
from bdfa_np.system.paths import user_path

HAS_TEST = "--test-fraction has no part in {dataset}, which has test images of its own: leave it out"
"""What is wrong with dividing a published data set."""


def find_source(
    dataset: str | os.PathLike[str],
    *,
    extra: bool = True,
    datapath: str | os.PathLike[str] | None = None,
    progress: bool = False,
    label: str | None = None,
    test_fraction: float | None = None,
    seed: int = 0,
) -> Published | Own | HandedOver:
    """Return where a data set comes from. Nothing is looked at on the disk.

    All kinds have the same three methods, ``locate``, ``checksums`` and ``read``, and answer the same questions about
    a data set that is not read yet.

    Parameters
    ----------
    dataset : str or path-like
        One of `dataset_names`, in any mixture of cases, with or without hyphens, or the path of one of the user's own.
        A string is taken for a path as `is_own` says, a path object always.
    extra : bool, default True
        Whether the extra training images of a data set that has some are among its training images.
    datapath : str or path-like, optional
        The folder that holds the files of a published data set, or a subfolder with them, of the data set's name or of
        the name that its publisher gave it (``cifar-10-batches-bin``). By default the folder that the environment
        variable ``BDFA_DATA_DIR`` names, else a per-user cache folder.
    progress : bool, default False
        Whether its methods draw progress bars on standard error.
    label : str, optional
        Of a table of the user's own, the name of the column that holds the labels; the last by default.
    test_fraction : float, optional
        Of a data set of the user's own that has no test part, how much of it is tested on, each class in its
        proportion.
    seed : int, default 0
        From which it is drawn which.

    Returns
    -------
    Published, Own or HandedOver
        The source.

    Raises
    ------
    ConfigError
        If the extra part is not wanted of a data set that has none, or a column is named and it is no table, or a
        published one is to be divided.
    DataError
        If there is no data set of that name.
    """
    if isinstance(dataset, str) and dataset.startswith(PREFIX):
        return HandedOver(dataset.removeprefix(PREFIX), extra)
    if not isinstance(dataset, str) or is_own(dataset):
        return Own(user_path(dataset, "--dataset"), extra, progress, label, test_fraction, seed)
    if label is not None:
        raise ConfigError(NO_TABLE.format(dataset=dataset))
    if test_fraction is not None:
        raise ConfigError(HAS_TEST.format(dataset=dataset))
    return Published(
        find_entry(dataset), extra, None if datapath is None else user_path(datapath, "--datapath"), progress
    )


def source_of(
    recipe: Recipe, *, datapath: str | os.PathLike[str] | None = None, progress: bool = False
) -> Published | Own | HandedOver:
    """Return where the data set of a recipe comes from, as `find_source` does."""
    return find_source(
        recipe.dataset,
        extra=recipe.extra,
        datapath=datapath,
        progress=progress,
        label=recipe.label,
        test_fraction=recipe.test_fraction,
        seed=recipe.seed,
    )


def may_be_divided(dataset: str) -> bool:
    """Return whether a data set may lack a test part: one of the user's own, or one that is handed over."""
    return is_own(dataset) or dataset.startswith(PREFIX)


def is_own(dataset: str) -> bool:
    """Return whether a data set's name is the path of one of the user's own.

    Parameters
    ----------
    dataset : str
        A path holds a folder's separator or ends in ``.csv``, ``.npz``, ``.h5`` or ``.hdf5``; every other name is
        looked up in the registry. What there is on the disk plays no part, so that a misspelt name is not taken
        for a path.

    Returns
    -------
    bool
        True for ``"digits.npz"`` and ``"./digits"``, False for ``"mnist"``.
    """
    separators = {os.sep, os.altsep or os.sep}
    return any(separator in dataset for separator in separators) or dataset.lower().endswith(SUFFIXES)

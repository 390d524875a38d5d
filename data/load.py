"""The way to a data set by its name."""

import os
from dataclasses import replace

from bdfa_np.data.dataset import Dataset
from bdfa_np.data.sources.find import find_source


def load_dataset(
    name: str | os.PathLike[str],
    datapath: str | os.PathLike[str] | None = None,
    *,
    extra: bool = True,
    resize: int | None = None,
    progress: bool = False,
    label: str | None = None,
    test_fraction: float | None = None,
    seed: int = 0,
) -> Dataset:
    """Read a data set, downloading its files first where they are not there.

    Parameters
    ----------
    name : str or path-like
        One of `dataset_names`, in any mixture of cases, with or without hyphens, or the path of one of the user's own:
        ``name.csv``, ``name.npz``, ``name.h5`` or ``./folder``.
    datapath : str or path-like, optional
        The folder that holds a published one's files, or a subfolder with them; see
        `bdfa_np.data.sources.find.find_source`. A data set that comes with the package needs none.
    extra : bool, default True
        Whether the extra training images of a data set that has some are among its training images.
    resize : int, optional
        Scale the images to so many rows and columns.
    progress : bool, default False
        Whether to draw progress bars on standard error.
    label : str, optional
        Of a table, the name of the column that holds the labels; the last by default.
    test_fraction : float, optional
        Of a data set of the user's own that has no test part, how much of it is tested on, each class in its
        proportion.
    seed : int, default 0
        From which it is drawn which.

    Returns
    -------
    Dataset
        The checked data set, with the SHA-256 of what was read. Its notes tell what was left out or altered.

    Raises
    ------
    ConfigError
        If the extra part is not wanted of a data set that has none, or its samples cannot be resized.
    DataError
        If the name is unknown, or files are missing and cannot be downloaded, or are unreadable, damaged, altered
        or of another kind.
    """
    source = find_source(
        name, extra=extra, datapath=datapath, progress=progress, label=label, test_fraction=test_fraction, seed=seed
    )
    dataset, left_out = source.read(resize), source.notes()
    return replace(dataset, notes=left_out + dataset.notes) if left_out else dataset

"""From a data set's name to images that a net can be trained on: from the cache, or read, prepared and stored."""

import errno
import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from time import perf_counter
from typing import Any

from numpy.typing import NDArray

from bdfa_np.data.cache.file import CacheWriter
from bdfa_np.data.cache.store import Cache, cache_folder
from bdfa_np.data.prepared import PreparedData, read_prepared
from bdfa_np.data.preprocess.pipeline import as_it_is, reviewed, some_prepared, specification, write_prepared
from bdfa_np.data.recipe import Recipe
from bdfa_np.data.sources.find import is_own, source_of
from bdfa_np.errors import DataError


def prepare(
    recipe: Recipe,
    *,
    datapath: str | os.PathLike[str] | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: bool = False,
    note: Callable[[str], None] = lambda _: None,
) -> PreparedData:
    """Prepare a data set, or take it as it was prepared before.

    Parameters
    ----------
    recipe : Recipe
        Which data set, and what is done to it.
    datapath : str or path-like, optional
        Where its files are, as in `load_dataset`.
    cache_dir : str or path-like, optional
        The folder of prepared files; by default what the environment variable ``BDFA_CACHE_DIR`` names, else a
        per-user cache folder.
    progress : bool, default False
        Whether to draw progress bars on standard error.
    note : callable, optional
        Called with a line about anything out of the ordinary, such as a damaged file that is prepared anew, or files
        in a folder that are no images.

    Returns
    -------
    PreparedData
        All of it in memory.

    Raises
    ------
    DataError
        If the data are missing, damaged or unfit, or the cache cannot be written or is of a later version.
    ConfigError
        If the preprocessing does not go with the data set.

    Notes
    -----
    Bytes stay bytes, and are normalised batch by batch. Whitened and YUV images, and a user's own floating-point
    images, are stored and kept as float32 with everything done. The digits that come with the package are not
    stored unless there is something to gain.
    """
    start = perf_counter()
    source = source_of(recipe, datapath=datapath, progress=progress)
    if source.input_shape is not None:  # before anything is downloaded
        recipe.check(source.input_shape)
    if source.is_bundled and recipe.keeps_bytes:
        prepared = as_it_is(recipe, source.read(recipe.resize))
        _once(note)(prepared.notes)
        return replace(prepared, seconds=perf_counter() - start)
    cache = Cache(cache_folder(cache_dir))
    checksums = source.known_checksums
    if checksums is None or not cache.path(source.name, specification(recipe, source.name, checksums)).exists():
        checksums = source.checksums()

    say = _once(note)
    say(source.notes())

    def build(writer: CacheWriter) -> None:
        dataset = source.read(recipe.resize)
        say(dataset.notes)  # before an error that they may be the reason of
        if dataset.checksums != checksums:
            raise DataError(f"{dataset.name}: its files changed while they were read: try again")
        recipe.check(dataset.input_shape)
        if is_own(recipe.dataset):
            dataset = reviewed(recipe, dataset)
            say(dataset.notes)
        write_prepared(writer, recipe, dataset, progress)

    wanted = specification(recipe, source.name, checksums)
    try:
        prepared = cache.prepared(source.name, wanted, build, read_prepared, note=note)
    except OSError as error:
        advice = "make room, or name" if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else "name"
        place, reason = error.filename or cache.folder, error.strerror or error
        raise DataError(f"{place}: {reason}: {advice} another folder with --cache-dir") from error
    say(prepared.notes)
    return replace(prepared, seconds=perf_counter() - start)


def whitened_images(
    recipe: Recipe,
    count: int,
    *,
    datapath: str | os.PathLike[str] | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: bool = False,
    note: Callable[[str], None] = lambda _: None,
) -> tuple[NDArray[Any], NDArray[Any], list[str]]:
    """Return the first test images of a data set, what whitening makes of them, and their classes; nothing is stored.

    Parameters
    ----------
    recipe : Recipe
        Which data set, and how it is whitened.
    count : int
        How many images, at most.
    datapath, cache_dir, progress, note
        As in `prepare`. Where the data set was prepared so before, whitening need not be fitted again.

    Returns
    -------
    images, whitened : ndarray, shape (N, H, W, C)
    classes : list of str
        The name of each one's class.

    Raises
    ------
    DataError, ConfigError
        As `prepare`.
    """
    source = source_of(recipe, datapath=datapath, progress=progress)
    if source.input_shape is not None:
        recipe.check(source.input_shape)
    wanted = specification(recipe, source.name, source.known_checksums or source.checksums())
    say = _once(note)
    dataset = source.read(recipe.resize)
    say((*source.notes(), *dataset.notes))
    recipe.check(dataset.input_shape)
    if is_own(recipe.dataset):
        dataset = reviewed(recipe, dataset)
        say(dataset.notes)
    names = [dataset.class_names[label] for label in dataset.test_labels[:count]]
    if Cache(cache_folder(cache_dir)).path(source.name, wanted).exists():
        prepared = prepare(
            recipe, datapath=datapath, cache_dir=cache_dir, progress=progress, note=lambda text: say([text])
        )
        # The images as they were read: undone, they would lack what training images do not vary in.
        return dataset.test_images[:count], prepared.parts["test"][0][:count], names
    return *some_prepared(recipe, dataset, count, progress), names


def _once(note: Callable[[str], None]) -> Callable[[Iterable[str]], None]:
    """Return a function that hands lines on, but none a second time."""
    said: set[str] = set()

    def say(notes: Iterable[str]) -> None:
        for text in notes:
            if text not in said:
                said.add(text)
                note(text)

    return say

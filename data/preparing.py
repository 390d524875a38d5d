"""From a data set's name to images that a net can be trained on: from the cache, or read, prepared and stored."""

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

from bdfa_np.data.cache.file import CacheWriter
from bdfa_np.data.cache.store import Cache, default_cache_folder
from bdfa_np.data.dataset import Dataset, load_dataset
from bdfa_np.data.prepared import PreparedData, read_prepared
from bdfa_np.data.preprocess.pipeline import as_it_is, stays_bytes, write_prepared
from bdfa_np.data.preprocess.resizing import resize_images
from bdfa_np.data.preprocess.zca import check_dimensions
from bdfa_np.data.readers.own import load_own, own_checksums
from bdfa_np.data.readers.reading import file_sha256
from bdfa_np.data.recipe import Recipe, is_own, own_name
from bdfa_np.data.sources.download import find_source
from bdfa_np.data.sources.registry import find_entry, known_checksums
from bdfa_np.errors import ConfigError, DataError


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
        Called with a line about anything out of the ordinary, such as a damaged file that is prepared anew.

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
    cache = Cache(default_cache_folder() if cache_dir is None else Path(cache_dir).expanduser())
    origin = _identify(recipe, cache, datapath, progress)
    if not origin.is_stored:
        dataset = read_dataset(recipe, datapath=datapath, progress=progress)
        return replace(as_it_is(recipe, dataset), seconds=perf_counter() - start)

    def build(writer: CacheWriter) -> None:
        dataset = read_dataset(recipe, datapath=datapath, progress=progress)
        if dataset.checksums != origin.checksums:
            raise DataError(f"{dataset.name}: its files changed while they were read: try again")
        check(replace(recipe, resize=None), dataset.input_shape)
        write_prepared(writer, recipe, dataset, progress)

    specification = recipe.specification(origin.name, origin.checksums)
    try:
        prepared = cache.prepared(origin.name, specification, build, read_prepared, note=note)
    except OSError as error:
        advice = "make room, or name" if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else "name"
        place, reason = error.filename or cache.folder, error.strerror or error
        raise DataError(f"{place}: {reason}: {advice} another folder with --cache-dir") from error
    return replace(prepared, seconds=perf_counter() - start)


def read_dataset(recipe: Recipe, *, datapath: str | os.PathLike[str] | None = None, progress: bool = False) -> Dataset:
    """Read a data set as it is published, or as the user made it, but for a change of size.

    Parameters
    ----------
    recipe : Recipe
        Its ``dataset``, ``extra`` and ``resize`` are used.
    datapath : str or path-like, optional
        Where the files are, as in `load_dataset`.
    progress : bool, default False
        Whether to draw progress bars on standard error.

    Returns
    -------
    Dataset
        The checked data set.

    Raises
    ------
    DataError
        If the data are missing, damaged or unfit.
    ConfigError
        If the samples are no images, and another size is asked for.
    """
    if is_own(recipe.dataset):
        return load_own(_own_path(recipe), recipe.resize, progress)
    dataset = load_dataset(recipe.dataset, datapath, extra=recipe.extra, progress=progress)
    if recipe.resize is None:
        return dataset
    train, test = (resize_images(images, recipe.resize) for images in (dataset.train_images, dataset.test_images))
    return replace(dataset, train_images=train, test_images=test)


def describe(recipe: Recipe) -> tuple[str, tuple[int, ...], int]:
    """Return what a net has to fit: the data set's name, a prepared sample's shape, the number of classes.

    Parameters
    ----------
    recipe : Recipe
        Which data set, and what would be done to it. Only one of the user's own is read.

    Returns
    -------
    name : str
        The data set's name.
    input_shape : tuple of int
        (H, W, C) or (d,).
    classes : int
        The number of classes.

    Raises
    ------
    DataError
        If a data set of the user's own cannot be read.
    ConfigError
        If the preprocessing does not go with the data set.
    """
    if is_own(recipe.dataset):
        dataset = read_dataset(recipe)
        check(replace(recipe, resize=None), dataset.input_shape)
        return dataset.name, dataset.input_shape, len(dataset.class_names)
    entry = find_entry(recipe.dataset)
    return entry.name, check(recipe, entry.image_shape), len(entry.class_names)


def _own_path(recipe: Recipe) -> Path:
    return Path(recipe.dataset).expanduser()


@dataclass(frozen=True)
class _Origin:
    """A data set that is identified, though perhaps not read."""

    name: str
    checksums: dict[str, str]
    is_stored: bool = True


def _identify(recipe: Recipe, cache: Cache, datapath: str | os.PathLike[str] | None, progress: bool) -> _Origin:
    """Find out what is to be prepared; read and download no more than that takes."""
    if is_own(recipe.dataset):
        path = _own_path(recipe)
        return _Origin(own_name(recipe.dataset), own_checksums(path))
    entry = find_entry(recipe.dataset)
    check(recipe, entry.image_shape)
    bundled = entry.sources[0].bundled is not None
    published = known_checksums(entry, recipe.extra)
    if published is not None:
        specification = recipe.specification(entry.name, published)
        if bundled or cache.path(entry.name, specification).exists():
            return _Origin(entry.name, published, is_stored=not (bundled and stays_bytes(recipe)))
    _, files = find_source(entry, None if datapath is None else Path(datapath), progress, recipe.extra)
    return _Origin(entry.name, {file.name: file.sha256_content or file_sha256(path) for file, path in files})


def check(recipe: Recipe, input_shape: tuple[int, ...]) -> tuple[int, ...]:
    """Refuse preprocessing that samples of a shape cannot have.

    Parameters
    ----------
    recipe : Recipe
        What is asked for.
    input_shape : tuple of int
        The shape (H, W, C), or (d,), of one sample as it is published.

    Returns
    -------
    tuple of int
        Its shape after preprocessing.

    Raises
    ------
    ConfigError
        If the preprocessing cannot be done.
    """
    is_image = len(input_shape) == 3
    if not is_image and (recipe.resize is not None or recipe.normalization == "channel"):
        name = "--normalization channel" if recipe.resize is None else "--resize"
        raise ConfigError(f"{name} needs images, and {recipe.dataset} holds vectors of {input_shape[0]} numbers")
    if recipe.format == "yuv" and not (is_image and input_shape[2] == 3):
        raise ConfigError(f"--format yuv needs images of three colours, and those of {recipe.dataset} are not")
    shape = input_shape
    if recipe.resize is not None:
        shape = (recipe.resize, recipe.resize, input_shape[2])
    if recipe.whiten:
        check_dimensions(shape)
    return shape

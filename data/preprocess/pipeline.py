"""What is done to the images of a data set, part by part and block by block."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import PIL
from numpy.typing import NDArray

from bdfa_np.data import splits, stratified
from bdfa_np.data.cache.file import CacheWriter
from bdfa_np.data.dataset import Dataset
from bdfa_np.data.labels import VERSION as LABELS_VERSION
from bdfa_np.data.prepared import PreparedData
from bdfa_np.data.preprocess import normalization, resizing, yuv, zca
from bdfa_np.data.preprocess.normalization import Normalization
from bdfa_np.data.preprocess.raw_values import RawValues
from bdfa_np.data.preprocess.review import divides_place_by_place, far_from_prepared, largest_prepared, review
from bdfa_np.data.preprocess.yuv import to_yuv
from bdfa_np.data.preprocess.zca import ZCA
from bdfa_np.data.recipe import Recipe
from bdfa_np.data.samples import noun
from bdfa_np.data.sources.find import is_own
from bdfa_np.data.splits import Part, split
from bdfa_np.errors import DataError
from bdfa_np.system.progress import bar

_IMAGES_PER_BLOCK = 1024

Images = NDArray[Any]


def specification(recipe: Recipe, name: str, checksums: Mapping[str, str]) -> dict[str, Any]:
    """Return all that prepared images depend on, and nothing else.

    Parameters
    ----------
    recipe : Recipe
        What is done to the data set.
    name : str
        The data set's name, without a folder: a copy in another place is the same.
    checksums : mapping of str to str
        SHA-256 of each of the data set's files.

    Returns
    -------
    dict
        What a prepared file is found by; of versions, those of the transforms that are applied.
    """
    asked: dict[str, Any] = {"format": recipe.format, "validate": recipe.validate}
    versions: dict[str, Any] = {}
    if recipe.whiten:
        asked["zca_epsilon"] = recipe.zca_epsilon
        versions["zca"] = zca.VERSION
    else:
        asked["normalization"] = recipe.normalization
        versions["normalization"] = normalization.VERSION
    if recipe.format == "yuv":
        versions["yuv"] = yuv.VERSION
    if recipe.resize is not None:
        asked["resize"] = recipe.resize
        versions |= {"resizing": resizing.VERSION, "pillow": PIL.__version__}
    if is_own(recipe.dataset):
        versions["labels"] = LABELS_VERSION
    if recipe.label is not None:
        asked["label"] = recipe.label
    if recipe.test_fraction is not None:
        asked |= {"test_fraction": recipe.test_fraction, "seed": recipe.seed}
        versions["test_fraction"] = stratified.VERSION
    if recipe.train_limit is not None:
        asked |= {"train_limit": recipe.train_limit, "seed": recipe.seed}
    if recipe.validate or recipe.train_limit is not None:
        versions["split"] = splits.VERSION
    return {"dataset": name, "preprocessing": asked, "checksums": dict(checksums), "versions": versions}


def as_it_is(recipe: Recipe, dataset: Dataset) -> PreparedData:
    """Prepare images of bytes, which stay bytes, without storing them.

    Parameters
    ----------
    recipe : Recipe
        Which images are trained on, and their normalization.
    dataset : Dataset
        The data set as it was read.

    Returns
    -------
    PreparedData
        Its images are views of the data set's.
    """
    parts, available = _parts(recipe, dataset)
    fitted = fit(recipe, parts["train"][0])
    assert isinstance(fitted, Normalization)
    return PreparedData(
        dataset.name,
        dataset.class_names,
        dataset.checksums,
        parts,
        fitted,
        available,
        raw=RawValues.of(parts["train"][0]),
        resize=recipe.resize,
        fitted=fitted,
        notes=dataset.notes + _far(fitted, parts),
    )


def in_memory(recipe: Recipe, dataset: Dataset, whitening: ZCA | None = None) -> PreparedData:
    """Prepare a data set without storing it.

    Parameters
    ----------
    recipe : Recipe
        Which images are trained on, and what is done to all of them.
    dataset : Dataset
        The data set.
    whitening : ZCA, optional
        With what images are whitened, in place of one that is fitted to those that are trained on.

    Returns
    -------
    PreparedData
        Images of bytes are views of the data set's where they can stay bytes; others are float32 and ready.

    Raises
    ------
    DataError
        If the training images have no statistics, for example because all their values are the same, or the test images
        are in another unit.
    """
    if dataset.train_images.dtype == np.uint8 and recipe.keeps_bytes:
        return as_it_is(recipe, dataset)
    parts, available = _parts(recipe, dataset)
    colours = to_yuv if recipe.format == "yuv" else _unchanged
    fitted = whitening or fit(recipe, parts["train"][0])
    largest: dict[str, float] = {}
    ready: dict[str, Part] = {}
    for part, (images, labels) in parts.items():
        ready[part] = np.empty(images.shape, np.float32), labels
        transform = _watched(fitted, largest, part)
        for start in range(0, len(images), _IMAGES_PER_BLOCK):
            block = slice(start, start + _IMAGES_PER_BLOCK)
            transform(colours(images[block]), ready[part][0][block])
    return PreparedData(
        dataset.name,
        dataset.class_names,
        dataset.checksums,
        ready,
        None,
        available,
        raw=RawValues.of(parts["train"][0]),
        format=recipe.format,
        resize=recipe.resize,
        fitted=fitted,
        notes=dataset.notes + far_from_prepared(fitted, largest),
    )


def write_prepared(writer: CacheWriter, recipe: Recipe, dataset: Dataset, progress: bool) -> None:
    """Prepare a data set into a file.

    Beside the data set's own images and, of YUV images, those to train on, it takes memory for some blocks and
    for whitening's matrices.

    Parameters
    ----------
    writer : CacheWriter
        Where it goes.
    recipe : Recipe
        Which images are trained on, and what is done to all of them.
    dataset : Dataset
        The data set as it was read.
    progress : bool
        Whether to draw progress bars on standard error.

    Raises
    ------
    DataError
        If the training images have no statistics, for example because all their values are the same, or the test images
        are in another unit.
    OSError
        If the file cannot be written.
    """
    parts, available = _parts(recipe, dataset)
    colours = to_yuv if recipe.format == "yuv" else _unchanged
    fitted = fit(recipe, parts["train"][0], f"whitening {dataset.name}", progress)
    _write_fitted(writer, fitted)
    _write_raw(writer, RawValues.of(parts["train"][0]))
    ready = not (dataset.train_images.dtype == np.uint8 and recipe.keeps_bytes)
    largest: dict[str, float] = {}
    for part, (images, labels) in parts.items():
        transform = _watched(fitted, largest, part)
        blocks = _blocks(images, colours, transform) if ready else _blocks(images, _unchanged, None)
        with bar(f"storing {dataset.name}: {part}", len(images), progress) as advance:
            counted = _counted(blocks, advance)
            writer.images(part, images.shape, np.float32 if ready else np.uint8, counted, labels)
    far = far_from_prepared(fitted, largest) if ready else _far(fitted, parts)
    writer.attributes(
        {
            "name": dataset.name,
            "class_names": json.dumps(dataset.class_names),
            "notes": json.dumps(dataset.notes + far),
            "available": available,
            "ready": ready,
        }
    )


def _parts(recipe: Recipe, dataset: Dataset) -> tuple[dict[str, Part], int]:
    """Return the parts by name, and how many images the one to train on has without its limit."""
    chosen = split(dataset, validate=recipe.validate, train_limit=recipe.train_limit, seed=recipe.seed)
    parts = {"train": (chosen.train_images, chosen.train_labels)}
    available = len(dataset.train_labels)
    if recipe.validate:
        parts["validation"] = chosen.test_images, chosen.test_labels
        available -= len(chosen.test_labels)
    parts["test"] = dataset.test_images, dataset.test_labels
    return parts, available


def fit(recipe: Recipe, train_images: Images, title: str = "", progress: bool = False) -> Normalization | ZCA:
    """Return what a recipe has done to images, by the statistics of the training images as they were read.

    The ε of whitening is of values whose range is 255 wide, as that of bytes is: of other numbers it is scaled by the
    square of the training images' range over 255, so that images are whitened alike whatever they are stored as.
    """
    colours = to_yuv if recipe.format == "yuv" else _unchanged
    if not recipe.whiten:
        assert recipe.normalization is not None
        return Normalization.fit(recipe.normalization, colours(train_images))
    assert recipe.zca_epsilon is not None
    unit = 1.0 if train_images.dtype == np.uint8 else (float(train_images.max()) - float(train_images.min())) / 255
    with bar(title, len(train_images), progress) as advance:
        # Of images that are all the same the range is 0, which the whitening refuses in words of its own.
        epsilon = recipe.zca_epsilon * (unit or 1.0) ** 2
        return ZCA.fit(colours(train_images), epsilon, lambda done, _total: advance(done))


def reviewed(recipe: Recipe, dataset: Dataset) -> Dataset:
    """Return a data set of the user's own with notes on what its samples do not bear out; see `review`.

    Raises
    ------
    DataError
        If nothing can be learnt of them.
    """
    parts, _ = _parts(recipe, dataset)
    return replace(dataset, notes=dataset.notes + review(parts, dataset.class_names))


def _watched(fitted: Normalization | ZCA, largest: dict[str, float], part: str) -> Callable[[Images, Images], Images]:
    """Return what prepares images of a part, and keeps the largest absolute value that it makes."""
    largest[part] = 0.0

    def transform(images: Images, out: Images) -> Images:
        _applied(fitted, images, out)
        largest[part] = max(largest[part], float(out.max()), -float(out.min()))
        return out

    return transform


def _far(fitted: Normalization | ZCA, parts: Mapping[str, Part]) -> tuple[str, ...]:
    """Return a line where images that are normalised batch by batch will leave the training images' range by far."""
    if not divides_place_by_place(fitted):
        return ()
    return far_from_prepared(fitted, {part: largest_prepared(fitted, images) for part, (images, _) in parts.items()})


def some_prepared(
    recipe: Recipe, dataset: Dataset, count: int, progress: bool = False
) -> tuple[Images, NDArray[np.float32]]:
    """Return a data set's first test images, and what a recipe makes of them; no others are prepared.

    Parameters
    ----------
    recipe : Recipe
        Which images are trained on, by whose statistics is prepared, and what is done.
    dataset : Dataset
        The data set as it was read.
    count : int
        How many images, at most.
    progress : bool, default False
        Whether to draw a progress bar on standard error.

    Raises
    ------
    DataError
        If the training images have no statistics, for example because all their values are the same.
    """
    colours = to_yuv if recipe.format == "yuv" else _unchanged
    parts, _ = _parts(recipe, dataset)
    fitted = fit(recipe, parts["train"][0], f"whitening {dataset.name}", progress)
    images = parts["test"][0][:count]
    return images, _applied(fitted, colours(images), np.empty(images.shape, np.float32))


def _applied(fitted: Normalization | ZCA, images: Images, out: Images) -> Images:
    """Write prepared images to ``out``, and return it; refuse what float32 cannot hold, before anybody keeps it.

    Raises
    ------
    DataError
        If a value is not finite: one that is far outside the training values, or in a direction in which these hardly
        vary and whitening amplifies what does.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        fitted.apply(images, out)
    if not np.isfinite(out).all():
        how, advice = "--whiten", "a larger --zca-epsilon, or a --normalization"
        if isinstance(fitted, Normalization):
            how, advice = f"--normalization {fitted.kind}", "another --normalization"
        raise DataError(
            f"{how} makes values that are not finite in float32, from {noun(images)} with values from "
            f"{images.min():g} to {images.max():g}: bring these nearer to the training values, or choose {advice}"
        )
    return out


def _write_fitted(writer: CacheWriter, fitted: Normalization | ZCA) -> None:
    if isinstance(fitted, ZCA):
        for name in ("mean", "P", "P_inverse"):
            writer.array(f"zca/{name}", getattr(fitted, name))
        writer.attributes({"zca_epsilon": fitted.epsilon})
        return
    for name in ("offset", "divisor"):
        writer.array(f"normalization/{name}", np.atleast_1d(getattr(fitted, name)))
    writer.attributes({"normalization": fitted.kind})


def _write_raw(writer: CacheWriter, raw: RawValues) -> None:
    for name in ("lowest", "highest"):
        writer.array(f"raw/{name}", np.atleast_1d(getattr(raw, name)))
    writer.attributes({"is_bytes": raw.is_bytes, "darkest": raw.darkest, "lightest": raw.lightest})


def _unchanged(images: Images) -> Images:
    return images


def _blocks(
    images: Images, colours: Callable[[Images], Images], transform: Callable[[Images, Images], Images] | None
) -> Iterator[Images]:
    """Yield the images block by block, each in memory of its own."""
    for start in range(0, len(images), _IMAGES_PER_BLOCK):
        block = colours(images[start : start + _IMAGES_PER_BLOCK])
        yield block if transform is None else transform(block, np.empty(block.shape, np.float32))


def _counted(blocks: Iterator[Images], advance: Callable[[int], None]) -> Iterator[Images]:
    """Hand the blocks on, and say after each how many images have gone by."""
    done = 0
    for block in blocks:
        yield block
        done += len(block)
        advance(done)

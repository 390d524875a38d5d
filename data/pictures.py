"""Samples of a data set as pictures: a contact sheet, and images beside what whitening makes of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from bdfa_np.data import lettering
from bdfa_np.errors import DataError
from bdfa_np.system.outputs import open_output

_GAP = 4
_BACKGROUND = (255, 255, 255)
_INK = (0, 0, 0)
_SMALLEST_SIDE = 48
_LINE = lettering.SIZE + 4
_LONGEST_NAME = 160
"""Pixels that a name before a row takes at most."""
_NARROWEST = 400
"""Pixels of a sheet with a text over it."""
# Of values without bounds, this percentage at either end is cut off, so that outliers do not leave the rest grey.
_CUT_OFF = 0.5


def contact_sheet(
    images: NDArray[Any],
    labels: NDArray[np.int64],
    class_names: Sequence[str],
    *,
    columns: int = 10,
    rows: int = 20,
    title: str = "",
) -> Image.Image:
    """Draw the first images of each class, a class a row, its name before them.

    Parameters
    ----------
    images : ndarray of uint8 or floating, shape (N, H, W, C), C 1 or 3
        The images. Floating-point values are stretched to the full contrast, but for the outermost half per cent.
    labels : ndarray of int64, shape (N,)
        Their classes.
    class_names : sequence of str
        The names of the K classes. One that the font has no letters for is replaced by its number.
    columns : int, default 10
        Images of a class, at most.
    rows : int, default 20
        Classes, at most; evenly chosen where there are more.
    title : str, default ""
        What stands over it. With a title, it is said below which images these are, and what black and white are.

    Returns
    -------
    PIL.Image.Image
        The picture, in colour. Small images are enlarged by a whole number, so that every pixel is a square.

    Raises
    ------
    DataError
        If the samples are no images of one or three channels.
    """
    _check(images)
    K = len(class_names)
    chosen = np.unique(np.linspace(0, K - 1, min(rows, K)).round().astype(int)).tolist()
    places = [np.flatnonzero(labels == label)[:columns] for label in chosen]
    shown = [images[found] for found in places]
    names, replaced = lettering.legible(class_names)
    sheet = _grid([names[label] for label in chosen], _as_bytes(shown), columns)
    if not title:
        return sheet
    classes = f"{len(chosen)} of {K} classes" if len(chosen) < K else "each class"
    notes = [f"The first {columns} images of {classes}. {_range(shown)}"]
    return _framed(sheet, title, [*notes, *[lettering.REPLACED] * replaced])


def before_and_after(
    before: NDArray[Any], after: NDArray[Any], *, title: str = "", captions: Sequence[str] = ()
) -> Image.Image:
    """Draw images in one row and what became of them in the next.

    Parameters
    ----------
    before : ndarray, shape (N, H, W, C), C 1 or 3
        Images; floating-point values are stretched as in `contact_sheet`.
    after : ndarray of floating-point numbers, of the same shape
        The same ones, whitened: grey is 0, and as far above it is white as is black below, but for the outermost half
        per cent.
    title : str, default ""
        What stands over it. With a title, it is said below what black and white are.
    captions : sequence of str, optional
        What stands under each pair: the names of their classes.

    Returns
    -------
    PIL.Image.Image
        The picture.

    Raises
    ------
    DataError
        If the samples are no images of one or three channels.
    """
    _check(before)
    _check(after)
    limit = float(np.percentile(np.abs(after), 100 - _CUT_OFF)) or 1.0
    grey = np.rint((after * (127.5 / limit) + 127.5).clip(0, 255)).astype(np.uint8)
    plain = [lettering.plain(caption) for caption in captions]
    sheet = _grid(["images", "whitened"], [*_as_bytes([before]), grey], len(before), plain)
    if not title:
        return sheet
    said = f"Whitened: black is -{limit:.3g} or less, grey 0, white {limit:.3g} or more."
    return _framed(
        sheet, title, [f"Images: {_range([before])}", said, *[lettering.UNKNOWN] * (plain != list(captions))]
    )


def captioned(images: NDArray[Any], titles: Sequence[str], *, columns: int = 10, note: str = "") -> Image.Image:
    """Draw images row by row, a title under each.

    Parameters
    ----------
    images : ndarray of uint8 or floating, shape (N, H, W, C), C 1 or 3
        The images; floating-point values are stretched as in `contact_sheet`.
    titles : sequence of str
        What stands under each: a letter that the font lacks is a question mark, and a long one ends in an ellipsis.
    columns : int, default 10
        Images in a row.
    note : str, default ""
        What stands below all of them.

    Returns
    -------
    PIL.Image.Image
        The picture, in colour; small images are enlarged by a whole number.

    Raises
    ------
    DataError
        If the samples are no images of one or three channels.
    """
    _check(images)
    height, width = images.shape[1:3]
    scale = _scale(height, width)
    plain = [lettering.plain(title) for title in titles]
    notes = [*filter(None, [note]), *[lettering.UNKNOWN] * (plain != list(titles))]
    titles = [lettering.shortened(title, _LONGEST_NAME) for title in plain]
    across = max(width * scale, *map(lettering.width, titles)) + 2 * _GAP
    down = height * scale + _LINE + _GAP
    rows = -(-len(images) // columns)
    sheet = Image.new("RGB", (_GAP + min(columns, len(images)) * across, _GAP + rows * down), _BACKGROUND)
    pen = ImageDraw.Draw(sheet)
    for number, (image, title) in enumerate(zip(_as_bytes([images])[0], titles, strict=True)):
        left, top = _GAP + number % columns * across, _GAP + number // columns * down
        sheet.paste(_enlarged(image, scale), (left, top))
        pen.text((left, top + height * scale + _GAP), title, _INK, lettering.font())
    return _framed(sheet, "", notes) if notes else sheet


def save(picture: Image.Image, path: Path) -> None:
    """Write a picture as PNG, replacing a file at the path in one step.

    Parameters
    ----------
    picture : PIL.Image.Image
        The picture.
    path : pathlib.Path
        Where it goes.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    with open_output(path) as file:
        picture.save(file, "PNG")


def _check(images: NDArray[Any]) -> None:
    if images.ndim != 4 or images.shape[3] not in (1, 3):
        shape = images.shape[1:]
        raise DataError(f"samples of the shape {shape} cannot be drawn: they must be images of one or three channels")


def _ends(groups: Sequence[NDArray[Any]]) -> tuple[float, float]:
    """Return what becomes black and what white."""
    if all(group.dtype == np.uint8 for group in groups):
        return 0.0, 255.0
    values = np.concatenate([group.ravel() for group in groups]).astype(np.float64)
    lowest, highest = np.percentile(values, [_CUT_OFF, 100 - _CUT_OFF])
    return float(lowest), float(highest)


def _range(groups: Sequence[NDArray[Any]]) -> str:
    lowest, highest = _ends(groups)
    if all(group.dtype == np.uint8 for group in groups):
        return "Black is 0, white 255."
    return f"Black is {lowest:.3g} or less, white {highest:.3g} or more."


def _as_bytes(groups: Sequence[NDArray[Any]]) -> list[NDArray[np.uint8]]:
    """Return images of bytes as they are, others stretched alike to 0..255."""
    if all(group.dtype == np.uint8 for group in groups):
        return list(groups)
    lowest, highest = _ends(groups)
    stretched = [(group - lowest) * (255 / ((highest - lowest) or 1.0)) for group in groups]
    return [np.rint(group.clip(0, 255)).astype(np.uint8) for group in stretched]


def _grid(
    titles: Sequence[str], rows: Sequence[NDArray[np.uint8]], columns: int, captions: Sequence[str] = ()
) -> Image.Image:
    height, width = rows[0].shape[1:3]
    scale = _scale(height, width)
    titles = [lettering.shortened_name(title, _LONGEST_NAME) for title in titles]
    margin = _GAP + max(map(lettering.width, titles)) + 2 * _GAP
    step_across, step_down = width * scale + _GAP, max(height * scale, lettering.SIZE) + _GAP
    high = _GAP + len(rows) * step_down + (_LINE if captions else 0)
    sheet = Image.new("RGB", (margin + columns * step_across, high), _BACKGROUND)
    pen = ImageDraw.Draw(sheet)
    for row, (title, images) in enumerate(zip(titles, rows, strict=True)):
        top = _GAP + row * step_down
        pen.text((_GAP, top + height * scale // 2), title, _INK, lettering.font(), anchor="lm")
        for column, image in enumerate(images):
            sheet.paste(_enlarged(image, scale), (margin + column * step_across, top))
    for column, caption in enumerate(captions):
        place = margin + column * step_across + width * scale // 2, _GAP + len(rows) * step_down
        pen.text(place, lettering.shortened_name(caption, width * scale), _INK, lettering.font(), anchor="ma")
    return sheet


def _framed(sheet: Image.Image, title: str, notes: Sequence[str]) -> Image.Image:
    """Return a sheet with a title above and notes below, broken where it is narrower than they are."""
    wide = max(sheet.width, _NARROWEST)
    above = lettering.broken(lettering.plain(title), wide - 2 * _GAP) if title else []
    below = [line for note in notes for line in lettering.broken(note, wide - 2 * _GAP)]
    top = _GAP * bool(above) + len(above) * _LINE
    framed = Image.new("RGB", (wide, top + sheet.height + len(below) * _LINE + _GAP), _BACKGROUND)
    framed.paste(sheet, (0, top))
    pen = ImageDraw.Draw(framed)
    for start, lines in ((_GAP, above), (top + sheet.height, below)):
        for number, line in enumerate(lines):
            pen.text((_GAP, start + number * _LINE), line, _INK, lettering.font())
    return framed


def _scale(height: int, width: int) -> int:
    """Return by which whole number images are enlarged."""
    return max(1, -(-_SMALLEST_SIDE // max(height, width)))


def _enlarged(image: NDArray[np.uint8], scale: int) -> Image.Image:
    pixels = Image.fromarray(image if image.shape[2] == 3 else image[..., 0])
    size = pixels.width * scale, pixels.height * scale
    return pixels.resize(size, Image.Resampling.NEAREST).convert("RGB")

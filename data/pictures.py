"""Samples of a data set as pictures: a contact sheet, and images beside what whitening makes of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from bdfa_np.errors import DataError
from bdfa_np.system.outputs import open_output

_GAP = 4
_BACKGROUND = (255, 255, 255)
_INK = (0, 0, 0)
_SMALLEST_SIDE = 48
_TEXT_SIZE = 12
_LONGEST_TITLE = 24
# Of values without bounds, this percentage at either end is cut off, so that outliers do not leave the rest grey.
_CUT_OFF = 0.5


def contact_sheet(
    images: NDArray[Any], labels: NDArray[np.int64], class_names: Sequence[str], *, columns: int = 10, rows: int = 20
) -> Image.Image:
    """Draw the first images of each class, a class a row, its name before them.

    Parameters
    ----------
    images : ndarray of uint8 or floating, shape (N, H, W, C), C 1 or 3
        The images. Floating-point values are stretched to the full contrast, but for the outermost half per cent.
    labels : ndarray of int64, shape (N,)
        Their classes.
    class_names : sequence of str
        The names of the K classes.
    columns : int, default 10
        Images of a class, at most.
    rows : int, default 20
        Classes, at most; evenly chosen where there are more.

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
    chosen = np.unique(np.linspace(0, len(class_names) - 1, min(rows, len(class_names))).round().astype(int)).tolist()
    places = [np.flatnonzero(labels == label)[:columns] for label in chosen]
    pixels = _as_bytes([images[found] for found in places])
    return _grid([str(class_names[label]) for label in chosen], pixels, columns)


def before_and_after(before: NDArray[Any], after: NDArray[Any]) -> Image.Image:
    """Draw images in one row and what became of them in the next.

    Parameters
    ----------
    before, after : ndarray, shape (N, H, W, C), C 1 or 3
        The same images; floating-point values are stretched, a row for itself, as in `contact_sheet`.

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
    return _grid(["images", "whitened"], [*_as_bytes([before]), *_as_bytes([after])], len(before))


def captioned(images: NDArray[Any], titles: Sequence[str], *, columns: int = 10) -> Image.Image:
    """Draw images row by row, a title under each.

    Parameters
    ----------
    images : ndarray of uint8 or floating, shape (N, H, W, C), C 1 or 3
        The images; floating-point values are stretched as in `contact_sheet`.
    titles : sequence of str
        What stands under each.
    columns : int, default 10
        Images in a row.

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
    scale = max(1, -(-_SMALLEST_SIDE // max(height, width)))
    font = ImageFont.load_default(_TEXT_SIZE)
    titles = ["".join(filter(str.isprintable, title))[:_LONGEST_TITLE] for title in titles]
    across = max(width * scale, *(int(font.getlength(title)) for title in titles)) + _GAP
    down = height * scale + _TEXT_SIZE + 2 * _GAP
    rows = -(-len(images) // columns)
    sheet = Image.new("RGB", (_GAP + min(columns, len(images)) * across, _GAP + rows * down), _BACKGROUND)
    pen = ImageDraw.Draw(sheet)
    for number, (image, title) in enumerate(zip(_as_bytes([images])[0], titles, strict=True)):
        left, top = _GAP + number % columns * across, _GAP + number // columns * down
        sheet.paste(_enlarged(image, scale), (left, top))
        pen.text((left, top + height * scale + _GAP), title, _INK, font)
    return sheet


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


def _as_bytes(groups: Sequence[NDArray[Any]]) -> list[NDArray[np.uint8]]:
    """Return images of bytes as they are, others stretched alike to 0..255."""
    if all(group.dtype == np.uint8 for group in groups):
        return list(groups)
    values = np.concatenate([group.ravel() for group in groups]).astype(np.float64)
    lowest, highest = np.percentile(values, [_CUT_OFF, 100 - _CUT_OFF])
    stretched = [(group - lowest) * (255 / ((highest - lowest) or 1.0)) for group in groups]
    return [np.rint(group.clip(0, 255)).astype(np.uint8) for group in stretched]


def _grid(titles: Sequence[str], rows: Sequence[NDArray[np.uint8]], columns: int) -> Image.Image:
    height, width = rows[0].shape[1:3]
    scale = max(1, -(-_SMALLEST_SIDE // max(height, width)))
    font = ImageFont.load_default(_TEXT_SIZE)
    titles = ["".join(filter(str.isprintable, title))[:_LONGEST_TITLE] for title in titles]
    margin = _GAP + int(max(font.getlength(title) for title in titles)) + _GAP
    step_across, step_down = width * scale + _GAP, max(height * scale, _TEXT_SIZE) + _GAP
    sheet = Image.new("RGB", (margin + columns * step_across, _GAP + len(rows) * step_down), _BACKGROUND)
    pen = ImageDraw.Draw(sheet)
    for row, (title, images) in enumerate(zip(titles, rows, strict=True)):
        top = _GAP + row * step_down
        pen.text((_GAP, top + height * scale // 2), title, _INK, font, anchor="lm")
        for column, image in enumerate(images):
            sheet.paste(_enlarged(image, scale), (margin + column * step_across, top))
    return sheet


def _enlarged(image: NDArray[np.uint8], scale: int) -> Image.Image:
    pixels = Image.fromarray(image if image.shape[2] == 3 else image[..., 0])
    size = pixels.width * scale, pixels.height * scale
    return pixels.resize(size, Image.Resampling.NEAREST).convert("RGB")

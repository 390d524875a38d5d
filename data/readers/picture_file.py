"""Reader of one picture file: what a PNG, JPEG, WebP, BMP or TIFF file becomes as an array of bytes."""

import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.TiffTags import TAGS_V2

from bdfa_np.data.readers.reading import open_data_file, read_up_to
from bdfa_np.errors import DataError
from bdfa_np.representation import one_line, shape_text
from bdfa_np.system.reading import guarded
from bdfa_np.system.text import counted

_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")
_LARGEST_FILE = 2**30
# What packs best are the bits of a blank page: hardly better than 8 pixels a bit of what zlib packs 1032 to 1.
_PIXELS_PER_BYTE = 8 * 1032
_ALWAYS_ALLOWED = 2**22
_ADVICE = "remove it, or put a good copy in its place"
_GREY_MODES = ("1", "L", "LA", "La")
_WHITE = 255
_OPAQUE = 255
# Sixteen bits of which less than twelve are used come out as 0 ... 15 of 255, which looks black.
_DARK = 16
_TIFF_TAGS = {information.name: number for number, information in TAGS_V2.items()}

Pixels = NDArray[np.uint8]


class Remark(Enum):
    """What was done to a picture that its owner may not expect, worded to follow "1 image" and "5 images"."""

    ON_WHITE = "with transparent pixels, put on white"
    NOTHING_LEFT = "of one colour once put on white"
    SIXTEEN_BITS = "of 16 bits, of which the upper 8 are kept"
    DARK = "of 16 bits, nearly black since less than 12 are used"
    FIRST_FRAME = "of several frames or pages, of which the first is read"
    MADE_GREY = "in colour, made grey as the images trained on are"


@dataclass(frozen=True, eq=False)
class Picture:
    """A decoded picture.

    Attributes
    ----------
    pixels : ndarray of uint8, shape (H, W, 1) or (H, W, 3)
        Grey, or red, green and blue; upright.
    remarks : tuple of Remark
        What was done to it that its owner may not expect.
    """

    pixels: Pixels
    remarks: tuple[Remark, ...]

    def __repr__(self) -> str:
        """Return the picture's size, and what was done to it."""
        return one_line(self, [shape_text(self.pixels.shape), *(remark.value for remark in self.remarks)])


def read_picture(path: Path, channels: int, remark: Callable[[Remark], None] = lambda _: None) -> Pixels:
    """Read a picture as a folder of images would have it, in grey or in colour.

    Parameters
    ----------
    path : pathlib.Path
        A PNG, JPEG, WebP, BMP or TIFF file of any name.
    channels : {1, 3}
        How many channels are wanted. Colours become grey by ITU-R BT.601, Y = 0.299 R + 0.587 G + 0.114 B; grey is
        repeated.
    remark : callable, optional
        Called with each thing that was done to it and that its owner may not expect; `summary` makes lines of them.

    Returns
    -------
    ndarray of uint8, shape (H, W, channels)
        The pixels; see `decode_picture`.

    Raises
    ------
    DataError
        If the file is missing, unreadable, damaged or no such picture, or pictures cannot have so many channels.
    """
    if channels not in (1, 3):
        raise DataError(f"{path}: a picture has one channel or three, and {channels} are wanted")
    picture = decode_picture(path, read_file(path))
    pixels = picture.pixels
    for found in picture.remarks:
        remark(found)
    if channels < pixels.shape[2] and (pixels != pixels[..., :1]).any():
        remark(Remark.MADE_GREY)
    if channels > pixels.shape[2]:
        return np.repeat(pixels, channels, axis=2)
    if channels < pixels.shape[2]:
        return np.asarray(Image.fromarray(pixels).convert("L"))[..., np.newaxis]
    return pixels


def summary(remarked: Mapping[Remark, Sequence[object]]) -> tuple[str, ...]:
    """Return a line on each kind of remark.

    Parameters
    ----------
    remarked : mapping of Remark to sequence
        The names of the images that each was made of.

    Returns
    -------
    tuple of str
        In the order of their kinds, such as ``"2 images with transparent pixels, put on white: 1.png, ..."``.
    """
    lines = []
    for remark in Remark:
        names = remarked.get(remark, ())
        if names:
            lines.append(
                f"{counted(len(names), 'image')} {remark.value}: {names[0]}{', ...' if len(names) > 1 else ''}"
            )
    return tuple(lines)


def read_file(path: Path) -> bytearray:
    """Return the content of a picture's file, undecoded.

    Raises
    ------
    DataError
        If it is missing, unreadable or too large.
    """
    with open_data_file(path) as stream:
        content, _ = read_up_to(stream, _LARGEST_FILE + 1)
    if len(content) > _LARGEST_FILE:
        raise DataError(f"{path}: is larger than {_LARGEST_FILE} bytes, too large for an image: {_ADVICE}")
    return content


def decode_picture(path: Path, content: bytearray) -> Picture:
    """Decode the content of a picture's file.

    It is turned upright as its EXIF data say. Transparent pixels are put on white: a channel of the opacity a, 0 to 1,
    becomes a x + (1 - a) 255. Of 16 bits the upper 8 are kept, of several frames or pages the first.

    Parameters
    ----------
    path : pathlib.Path
        Where it was read, for the messages.
    content : bytearray
        The file's content; its format is told from it, not from the name.

    Returns
    -------
    Picture
        Grey pictures have one channel, all others three.

    Raises
    ------
    DataError
        If it is no such picture, is damaged, or its values have no range that is known.
    """
    # Pillow warns of flaws that do not touch the pixels, and of images that are suspiciously large.
    with guarded(path, DataError, f"cannot be decoded ({{}}): {_ADVICE}"), warnings.catch_warnings(action="ignore"):
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with _open(path, content) as image:
            # Looks at every checksum of a PNG file, where decoding passes over some, and spends the open image.
            image.verify()
        with _open(path, content) as image:
            return _decoded(path, image)


def _open(path: Path, content: bytearray) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(content), formats=_FORMATS)
    except UnidentifiedImageError as error:
        raise DataError(f"{path}: is not a PNG, JPEG, WebP, BMP or TIFF image: {_ADVICE}") from error
    # Asked before memory is taken. Beyond some 89 million pixels Pillow warns, which is an error here.
    if image.width * image.height > max(_ALWAYS_ALLOWED, _PIXELS_PER_BYTE * len(content)):
        raise DataError(
            f"{path}: claims {image.width} x {image.height} pixels, more than {len(content)} bytes can hold: {_ADVICE}"
        )
    return image


def _decoded(path: Path, image: Image.Image) -> Picture:
    # Asked before the pixels are turned, which leaves an image without a file and without frames. What cameras call
    # MPO is a photograph with a preview.
    several = image.format != "MPO" and getattr(image, "n_frames", 1) > 1
    shift, inverted = _sixteen_bits(image)
    upright = ImageOps.exif_transpose(image)
    remarks = [Remark.FIRST_FRAME] if several else []
    if upright.mode == "F" or (upright.mode == "I" and image.format != "PNG"):
        raise DataError(f"{path}: its values have no range that is known (mode {upright.mode}): save it with 8 bits")
    if upright.mode.startswith("I"):
        values = np.asarray(upright)
        pixels = (values >> shift).astype(np.uint8)[..., np.newaxis]
        remarks.append(Remark.DARK if 0 < pixels.max() < _DARK else Remark.SIXTEEN_BITS)
        pixels = _WHITE - pixels if inverted else pixels
        # Of 16 bits Pillow has no opacity, but a PNG may name one value that is transparent.
        alpha = np.where(values == upright.info.get("transparency", -1), 0, _OPAQUE)[..., np.newaxis]
    else:
        pixels, alpha = _channels(upright)
    if (alpha < _OPAQUE).any():
        pixels = _on_white(pixels, alpha)
        remarks.append(Remark.NOTHING_LEFT if (pixels == pixels[0, 0]).all() else Remark.ON_WHITE)
    return Picture(pixels, tuple(remarks))


def _sixteen_bits(image: Image.Image) -> tuple[int, bool]:
    """Return by how many bits to shift grey values of more than 8 bits, and whether their zero is white."""
    tags: Any = getattr(image, "tag_v2", {})
    bits = tags.get(_TIFF_TAGS["BitsPerSample"], (16,))[0]
    return bits - 8, tags.get(_TIFF_TAGS["PhotometricInterpretation"]) == 0


def _channels(image: Image.Image) -> tuple[Pixels, NDArray[Any]]:
    """Return the grey or the colours, (H, W, 1) or (H, W, 3), and the opacity, (H, W, 1) or one number for all."""
    kind = "L" if image.mode in _GREY_MODES else "RGB"
    if not image.has_transparency_data:
        pixels = np.asarray(image.convert(kind))
        return (pixels[..., np.newaxis] if kind == "L" else pixels), np.array(_OPAQUE)
    pixels = np.asarray(image.convert(f"{kind}A"))
    return pixels[..., :-1], pixels[..., -1:]


def _on_white(pixels: Pixels, alpha: NDArray[Any]) -> Pixels:
    """Return the pixels where they are opaque, white where they are transparent, and between these in proportion."""
    # At most 255 * 255 + 127, which 16 bits hold.
    opacity = alpha.astype(np.uint16)
    mixed = pixels * opacity + _WHITE * (_OPAQUE - opacity)
    return ((mixed + _OPAQUE // 2) // _OPAQUE).astype(np.uint8)

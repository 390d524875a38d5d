"""The reader of pictures, a format at a time."""

import io
import random
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from bdfa_np.data.readers.picture_file import decode_picture
from fuzzing import formats
from fuzzing.engine import Reader
from fuzzing.mutations import of_bytes
from fuzzing.readers.shared import digest, pixels

_GREY, _COLOUR, _ALPHA = pixels(12, 9), pixels(12, 9, 3), pixels(12, 9, 4)
_FRAMES = {"save_all": True, "append_images": [Image.fromarray(_COLOUR[::-1])]}
_TURNED = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"


def encoded(array: np.ndarray, kind: str, **options: Any) -> bytes:
    """Return the file of a picture."""
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, kind, **options)
    return stream.getvalue()


class Picture(Reader):
    """Pictures of one format."""

    kind: ClassVar[str]
    variants: ClassVar[list[tuple[np.ndarray, dict[str, Any]]]] = [(_GREY, {}), (_COLOUR, {})]

    def make(self) -> list[bytes]:
        """Return pictures in grey and in colour, and of what else the format has."""
        return [encoded(array, self.kind, **options) for array, options in self.variants]

    def change(self, rng: random.Random, content: bytes) -> bytes:
        """Change its bytes."""
        return of_bytes(rng, content, self.seeds)

    def read(self, content: bytes) -> str:
        """Decode it."""
        picture = decode_picture(self.folder / f"1.{self.kind}", bytearray(content))
        return digest([picture.pixels, picture.remarks])


class Png(Picture):
    """PNG, whose chunks have sums, which are set right half of the time."""

    name, kind = "png", "PNG"
    variants: ClassVar = [
        (_GREY, {}), (_COLOUR, {}), (_ALPHA, {}), (_GREY.astype(np.uint16) * 257, {}), (_GREY, {"transparency": 3}),
        (_COLOUR, _FRAMES), (_GREY > 99, {}),
    ]  # fmt: skip

    def change(self, rng: random.Random, content: bytes) -> bytes:
        """Change its bytes, or its chunks."""
        return rng.choice((of_bytes, formats.png))(rng, content, self.seeds)


class Jpeg(Picture):
    """JPEG, also progressive, and turned by its EXIF data."""

    name, kind = "jpeg", "JPEG"
    variants: ClassVar = [(_GREY, {}), (_COLOUR, {"progressive": True}), (_COLOUR, {"exif": _TURNED})]


class Webp(Picture):
    """WebP, lossless and not, with alpha and with frames."""

    name, kind = "webp", "WEBP"
    variants: ClassVar = [(_COLOUR, {}), (_ALPHA, {"lossless": True}), (_COLOUR, _FRAMES)]


class Bmp(Picture):
    """BMP."""

    name, kind = "bmp", "BMP"
    variants: ClassVar = [(_GREY, {}), (_COLOUR, {}), (_ALPHA, {}), (_GREY > 99, {})]


class Tiff(Picture):
    """TIFF, packed in the ways that Pillow can."""

    name, kind = "tiff", "TIFF"
    variants: ClassVar = [
        (_GREY, {}),
        (_COLOUR, {}),
        (_COLOUR, {"compression": "tiff_lzw"}),
        (_COLOUR, {"compression": "tiff_adobe_deflate"}),
        (_COLOUR, {"compression": "jpeg"}),
        (_GREY, {"compression": "packbits"}),
        (_GREY > 99, {"compression": "group4"}),
        (_GREY.astype(np.uint16) * 257, {}),
        (_COLOUR, _FRAMES),
    ]


class Gif(Picture):
    """GIF, which is none of those that are read."""

    name, kind = "gif", "GIF"

    def make(self) -> list[bytes]:
        """Return a PNG file, the only one of the two that is read, and keep a GIF beside it."""
        self.gif = encoded(_GREY, "GIF")
        return [encoded(_GREY, "PNG")]

    def change(self, rng: random.Random, content: bytes) -> bytes:
        """Change a GIF instead."""
        return of_bytes(rng, self.gif, [content])


READERS = (Png, Jpeg, Webp, Bmp, Tiff, Gif)

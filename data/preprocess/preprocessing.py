"""From a sample as it is in a file to what a net takes: all that is done on the way, in one object."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bdfa_np.data.preprocess.normalization import Normalization
from bdfa_np.data.preprocess.raw_values import RawValues
from bdfa_np.data.preprocess.resizing import resize_images
from bdfa_np.data.preprocess.yuv import to_rgb, to_yuv
from bdfa_np.data.preprocess.zca import ZCA
from bdfa_np.errors import DataError
from bdfa_np.representation import one_line, shape_text
from bdfa_np.system.text import counted

_IMAGES_PER_BLOCK = 1024


# Comparing two of these compares arrays, which has no single truth value: so eq=False.
@dataclass(frozen=True, eq=False)
class Preprocessing:
    """What is done to raw samples before a net sees them, and what its classes are called.

    Parameters
    ----------
    shape : tuple of int
        The shape (H, W, C), or (d,), of a sample as the net takes it.
    class_names : tuple of str
        The names of the K classes.
    raw : RawValues
        What the training samples were like in their files.
    normalization : Normalization, optional
        Statistics of the training samples; None where they are whitened.
    whitening : ZCA, optional
        In the normalization's place.
    format : {"rgb", "yuv"}, default "rgb"
        The colours that normalization or whitening is of.
    resize : int, optional
        Rows and columns that images were scaled to when they were read.
    """

    shape: tuple[int, ...]
    class_names: tuple[str, ...]
    raw: RawValues
    normalization: Normalization | None = None
    whitening: ZCA | None = None
    format: str = "rgb"
    resize: int | None = None

    def __repr__(self) -> str:
        """Return what is done, to samples of which shape."""
        done = f"normalization {self.normalization.kind}" if self.normalization else "whitening"
        colours = "" if self.format == "rgb" else f"format={self.format!r}"
        resize = "" if self.resize is None else f"resize={self.resize}"
        classes = counted(len(self.class_names), "class", "classes")
        return one_line(self, [shape_text(self.shape), done, colours, resize, classes])

    @property
    def transform(self) -> Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]]:
        """Normalization or whitening, as a function of the samples and of where they go."""
        fitted = self.whitening or self.normalization
        if fitted is None:
            raise ValueError("a preprocessing has a normalization or a whitening")
        return fitted.apply

    def apply(self, samples: NDArray[Any]) -> NDArray[np.float32]:
        """Return raw samples as the net takes them.

        Parameters
        ----------
        samples : ndarray of numbers, shape (N, H, W, C) or (N, d)
            Values as they are in files: bytes 0..255, say, and nothing done to them. Where training images were
            scaled when they were read, images of any size; grey ones may lack their last axis.

        Returns
        -------
        ndarray of float32, shape (N, *shape)
            New memory.

        Raises
        ------
        DataError
            If the samples have another shape, or values that cannot be raw ones; see `RawValues.check`.
        """
        raw = self.sized(samples)
        self.raw.check(raw)
        if self.raw.is_bytes and raw.dtype != np.uint8:
            whole = np.rint(raw)
            raw = raw.astype(np.uint8) if np.array_equal(whole, raw) else raw
        prepared = np.empty(raw.shape, np.float32)
        for start in range(0, len(raw), _IMAGES_PER_BLOCK):
            block = slice(start, start + _IMAGES_PER_BLOCK)
            self.transform(to_yuv(raw[block]) if self.format == "yuv" else raw[block], prepared[block])
        return prepared

    def undo(self, prepared: NDArray[Any]) -> NDArray[np.float64]:
        """Return what samples were before `apply`, as far as their values tell: what a net draws, as raw values.

        Parameters
        ----------
        prepared : ndarray, shape (N, *shape)
            As the net takes them.

        Returns
        -------
        ndarray of float64, of the same shape
            In the raw values' unit, and neither rounded nor bounded.

        Raises
        ------
        ValueError
            If the samples were whitened, and the way back was not kept, as a run folder does not.
        """
        if self.whitening is not None:
            raw = self.whitening.undo(prepared, np.empty(prepared.shape, np.float32)).astype(np.float64)
        elif self.normalization is not None:
            raw = prepared.astype(np.float64) * self.normalization.divisor + self.normalization.offset
        else:
            raise ValueError("a preprocessing has a normalization or a whitening")
        return to_rgb(raw) if self.format == "yuv" else raw

    def blank(self) -> NDArray[np.float32]:
        """Return a black image as the net takes it, (H, W, C): what pads those that are shifted.

        Black is 0 of bytes, and of other numbers the smallest that training images hold.
        """
        kind = np.uint8 if self.raw.is_bytes else np.float32
        black = np.full((1, *self.shape), 0 if self.raw.is_bytes else self.raw.lowest, kind)
        out = np.empty(black.shape, np.float32)
        self.transform(to_yuv(black) if self.format == "yuv" else black, out)
        return out.reshape(self.shape)

    def sized(self, samples: NDArray[Any]) -> NDArray[Any]:
        """Return samples in the shape that the net takes, scaled only where training images were too.

        Raises
        ------
        DataError
            If they have another shape.
        """
        raw = np.asarray(samples)
        if len(self.shape) == 3 and self.shape[2] == 1 and raw.ndim == 3 and raw.shape != self.shape:
            raw = raw[..., np.newaxis]
        scaled = self.resize is not None and raw.ndim == 4 and raw.shape[3] == self.shape[2] and raw.size > 0
        if scaled and raw.shape[1:] != self.shape:
            raw = resize_images(raw if raw.dtype == np.uint8 else raw.astype(np.float32), self.shape[0])
        if raw.shape[1:] != self.shape or len(raw) == 0:
            wanted = " x ".join(map(str, self.shape))
            one = " (of a single sample, give x[None])" if raw.shape == self.shape else ""
            raise DataError(
                f"samples of the shape {raw.shape} do not fit: an array of N samples of {wanted} values is wanted{one}"
            )
        return raw

"""Crops, scaled back up or padded, and mirror images on the CPU, channels last."""

import numpy as np
import numpy.typing as npt

from bdfa_np.backend.base import Array
from bdfa_np.backend.cpu.convolution import Workspace


def neighbours(
    places: Array, start: Array, margin: Array, size: int, dtype: npt.DTypeLike
) -> tuple[Array, Array, Array]:
    """Return the two lines of the source that each output line lies between, and how far along it lies.

    ``places`` (1 or N, size) are the output's lines in the order wanted; all that is returned is (N, size).
    """
    # In whole numbers, so that an output line that falls on a line of the source is that line, bit for bit.
    steps, crop_steps = max(size - 1, 1), (size - 1 - margin)[:, None]
    first, rest = np.divmod(places * crop_steps, steps)
    second = np.minimum(first + 1, crop_steps)  # even with weight 0, NaN beyond the crop would be handed on
    first += start[:, None]
    second += start[:, None]
    return first, second, np.divide(rest, steps, dtype=dtype)


def interpolate(source: Array, first: Array, second: Array, weight: Array, out: Array, between: Array) -> None:
    """Write ``source[first] + weight · (source[second] - source[first])`` into ``out``; ``between`` is scratch."""
    # mode="clip" since the default makes take write to a buffer of its own first; no index is out of range.
    np.take(source, first, axis=0, out=out.reshape(*first.shape, -1), mode="clip")
    np.take(source, second, axis=0, out=between.reshape(*first.shape, -1), mode="clip")
    between -= out
    between *= weight
    out += between


def shift_and_mirror(images: Array, blank: Array, top: Array, left: Array, mirrored: Array, out: Array) -> Array:
    """See `Backend.shift_and_mirror`."""
    H, W = images.shape[1:3]
    out[...] = blank
    for image, place, row, column, turned in zip(images, out, top.tolist(), left.tolist(), mirrored, strict=True):
        seen = image[max(row, 0) : max(H + row, 0), max(column, 0) : max(W + column, 0)]
        first, start = max(-row, 0), max(-column, 0)
        place = place[:, ::-1] if turned else place  # noqa: PLW2901 - a view of the same pixels
        place[first : first + len(seen), start : start + seen.shape[1]] = seen
    return out


def crop_and_mirror(
    images: Array, top: Array, left: Array, margin: Array, mirrored: Array, out: Array, workspace: Workspace
) -> Array:
    """See `Backend.crop_and_mirror`; whole rows are gathered first, then pixels."""
    N, H, W, C = images.shape
    scaled, between = workspace("scaled_rows", (N, H, W * C)), workspace("between_lines", (N, H, W * C))
    first, second, weight = neighbours(np.arange(H)[None], top, margin, H, images.dtype)  # (N, H)
    image_start = np.arange(0, N * H, H)[:, None]
    first, second, weight = image_start + first, image_start + second, weight[:, :, None]
    interpolate(images.reshape(N * H, W * C), first, second, weight, scaled, between)
    columns = np.where(mirrored[:, None], np.arange(W)[::-1], np.arange(W))
    first, second, weight = neighbours(columns, left, margin, W, images.dtype)  # (N, W)
    row_start = np.arange(0, N * H * W, W).reshape(N, H, 1)
    first, second, weight = row_start + first[:, None], row_start + second[:, None], np.repeat(weight, C, axis=1)
    interpolate(scaled.reshape(N * H * W, C), first, second, weight[:, None], out.reshape(N, H, W * C), between)
    return out

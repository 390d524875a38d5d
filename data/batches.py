"""Mini-batches: gathered once, normalised into one reused buffer."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from bdfa_np.data.preprocess.normalization import Normalization
from bdfa_np.errors import ConfigError, DataError
from bdfa_np.random_streams import Streams
from bdfa_np.representation import one_line, shape_text
from bdfa_np.system.text import counted


class Batches:
    """An iterator over the mini-batches of an epoch.

    Images stay as they are in memory (uint8, say); a batch is gathered and normalised when its turn comes, into
    buffers that every batch shares. Images that are ready, in the type that is asked for, are copied once. **A batch
    is valid until the next one is asked for**: copy what you want to keep, and use one epoch at a time.

    Parameters
    ----------
    images : ndarray, shape (N, H, W, C) or (N, d)
        The samples of one part of a split.
    labels : ndarray of int64, shape (N,)
        Their classes.
    batch_size : int
        Images in a batch; the last of an epoch has what is left over, unless that is dropped.
    normalization : Normalization, optional
        What is done to the images; by default they are ready as they are.
    dtype : dtype, default "float32"
        The type of the batches, float32 or float64.
    streams : Streams or int, optional
        Where the order of each epoch is drawn from, or the seed to make them from: ``streams.generator("order",
        number)``, so it depends on the seed and the epoch's number alone. Without it, the order is that of the images.
    drop_last : bool, default False
        Whether to drop a last batch that is smaller than the others. In the order of the images, it is always the
        same ones that an epoch leaves out.

    Attributes
    ----------
    samples : int
        Images in an epoch: N, or the largest multiple of the batch size up to N where the last batch is dropped.
    batch_size : int
        Images in a batch.

    Raises
    ------
    ConfigError
        If the batch size is below 1 or the type is another one.
    DataError
        If there are no images, not one label for each, or too few for one batch where a smaller one is dropped.
    """

    def __init__(
        self,
        images: NDArray[Any],
        labels: NDArray[np.int64],
        batch_size: int,
        *,
        normalization: Normalization | None = None,
        dtype: DTypeLike = "float32",
        streams: Streams | int | None = None,
        drop_last: bool = False,
    ) -> None:
        if batch_size < 1:
            raise ConfigError(f"the batch size must be 1 or more, not {batch_size}")
        if np.dtype(dtype) not in (np.dtype(np.float32), np.dtype(np.float64)):
            raise ConfigError(f"the data type must be float32 or float64, not {np.dtype(dtype)}")
        if len(images) == 0 or labels.shape != images.shape[:1]:
            raise DataError(f"{len(images)} images and labels of shape {labels.shape} cannot be put into batches")
        if drop_last and len(images) < batch_size:
            raise DataError(
                f"{counted(len(images), 'image')} cannot fill one batch of {batch_size}: choose a smaller batch size, "
                "or keep the last, smaller batch"
            )
        # np.take would make such a copy for every batch.
        self._images = np.ascontiguousarray(images)
        self._labels = np.ascontiguousarray(labels, dtype=np.int64)
        self._normalization = normalization
        self._streams = Streams(streams) if isinstance(streams, int) else streams
        self.samples = len(images) - len(images) % batch_size if drop_last else len(images)
        self.batch_size = batch_size
        largest = min(batch_size, self.samples)
        self._ready = np.empty((largest, *images.shape[1:]), dtype)
        copied_once = normalization is None and images.dtype == self._ready.dtype
        self._gathered = self._ready if copied_once else np.empty(self._ready.shape, images.dtype)
        self._batch_labels = np.empty(largest, np.int64)

    def __repr__(self) -> str:
        """Return how many batches of how many samples, and in which order."""
        samples = f"{counted(self.samples, 'sample')} {shape_text(self._ready.shape[1:])} {self._ready.dtype}"
        batches = f"{counted(len(self), 'batch', 'batches')} of {self.batch_size:,}"
        return one_line(self, [samples, batches, "in their own order" if self._streams is None else "shuffled"])

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return math.ceil(self.samples / self.batch_size)

    def epoch(self, number: int) -> Iterator[tuple[NDArray[Any], NDArray[np.int64]]]:
        """Yield the batches of an epoch; every image that is not dropped is in exactly one of them.

        Parameters
        ----------
        number : int
            The epoch's number, 0 or more; it decides the order where there are streams.

        Yields
        ------
        images : ndarray of ``dtype``, shape (n, H, W, C) or (n, d)
            Normalised and contiguous; overwritten by the next batch.
        labels : ndarray of int64, shape (n,)
            Their classes; overwritten by the next batch.
        """
        order = None
        if self._streams is not None:
            order = self._streams.generator("order", number).permutation(len(self._images))
        for start in range(0, self.samples, self.batch_size):
            stop = min(start + self.batch_size, self.samples)
            size = stop - start
            ready, labels = self._ready[:size], self._batch_labels[:size]
            if order is None:
                source = self._images[start:stop]
                labels[:] = self._labels[start:stop]
            else:
                # mode="clip" since the default makes take write to a buffer of its own first; no index is out of range.
                source = np.take(self._images, order[start:stop], axis=0, out=self._gathered[:size], mode="clip")
                np.take(self._labels, order[start:stop], out=labels, mode="clip")
            if self._normalization is not None:
                self._normalization.apply(source, ready)
            elif order is None or self._gathered is not self._ready:
                np.copyto(ready, source)
            yield ready, labels

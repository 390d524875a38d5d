"""Random crops and mirror images of training batches."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from bdfa_np.errors import ConfigError, DataError
from bdfa_np.random_streams import Streams
from bdfa_np.representation import one_line, shape_text

if TYPE_CHECKING:
    import numpy as np

    from bdfa_np.backend.base import Array, Backend


class ImageAugmentation(ABC):
    """Alters a whole batch of training images at once, on the backend's device.

    All is drawn on the host from ``streams.generator("augment", epoch, step)``: it depends on the seed, the epoch, the
    step and the number of images in the batch alone, and is the same for every backend.

    Parameters
    ----------
    backend : Backend
        Where the images are.
    streams : Streams
        Where the random numbers come from.
    input_shape : tuple of int
        The shape (H, W, C) of an image.

    Raises
    ------
    ConfigError
        If the samples are vectors, not images.
    """

    def __init__(self, backend: "Backend", streams: Streams, input_shape: tuple[int, ...]) -> None:
        if len(input_shape) != 3:
            raise ConfigError(
                f"augmentation needs images of shape (H, W, C), not samples of shape {input_shape}: "
                "train on these without it"
            )
        self._backend = backend
        self._streams = streams
        self._input_shape = input_shape
        self._out = backend.empty((0, *input_shape))

    @abstractmethod
    def alter(self, x: "Array", generator: "np.random.Generator", out: "Array") -> "Array":
        """Write the altered images ``x`` (N, H, W, C) into ``out``, and return it."""

    def __repr__(self) -> str:
        """Return the shape of an image."""
        return one_line(self, [shape_text(self._input_shape)])

    def __call__(self, x: "Array", epoch: int, step: int) -> "Array":
        """Return an augmented batch.

        Parameters
        ----------
        x : array, shape (N, H, W, C)
            The images, an array of the backend in its dtype; they are left as they are.
        epoch : int
            The epoch's number, 0 or more.
        step : int
            The step's number within the epoch, 0 or more.

        Returns
        -------
        array, shape (N, H, W, C)
            The images to train on. **Valid until the next call**, which writes to the same memory.

        Raises
        ------
        DataError
            If the images are of another shape.
        """
        if x.shape[1:] != self._input_shape:
            raise DataError(f"images of shape {x.shape[1:]} were given to an augmentation for {self._input_shape}")
        if len(x) > len(self._out):
            self._out = self._backend.empty(x.shape)
        return self.alter(x, self._streams.generator("augment", epoch, step), self._out[: len(x)])


class Augmentation(ImageAugmentation):
    """Random crops of training images, scaled back to their size, half of them mirrored left-right.

    For each image a margin s is drawn uniformly from 0..⌊min(H, W)/4⌋, then the crop of (H-s) × (W-s) pixels, whose
    first row and first column are drawn uniformly from 0..s. The crop is scaled back to H × W bilinearly with aligned
    corners, and mirrored with probability ½.

    All is drawn on the host from ``streams.generator("augment", epoch, step)``: it depends on the seed, the epoch, the
    step and the number of images in the batch alone, and is the same for every backend.

    Parameters
    ----------
    backend : Backend
        Where the images are.
    streams : Streams
        Where the random numbers come from.
    input_shape : tuple of int
        The shape (H, W, C) of an image.

    Raises
    ------
    ConfigError
        If the samples are vectors, not images.

    Examples
    --------
    >>> from bdfa_np import make_backend
    >>> from bdfa_np.random_streams import Streams
    >>> backend = make_backend("numpy")
    >>> augmentation = Augmentation(backend, Streams(0), (32, 32, 3))
    >>> augmentation(backend.zeros((64, 32, 32, 3)), epoch=1, step=1).shape
    (64, 32, 32, 3)
    """

    def alter(self, x: "Array", generator: "np.random.Generator", out: "Array") -> "Array":
        """Draw the crops and which are mirrored."""
        size, largest_margin = len(x), min(self._input_shape[:2]) // 4
        margin = generator.integers(largest_margin, size=size, endpoint=True)
        top = generator.integers(margin, endpoint=True)
        left = generator.integers(margin, endpoint=True)
        mirrored = generator.integers(2, size=size, dtype=bool)
        return self._backend.crop_and_mirror(x, top, left, margin, mirrored, out)


class CropFlip(ImageAugmentation):
    """Random crops of training images with a black border around them, half of them mirrored left-right.

    Each image is padded by 4 black pixels on every side and cropped to its own size at a place drawn uniformly from
    the 9 × 9 that there are, then mirrored with probability ½ (He et al., arXiv 1512.03385, section 4.2; Lee et al.,
    arXiv 1409.5185). The literature pads raw images and normalises what comes of it. Here images are normalised
    already, so that what lies outside of one is what the normalization makes of black: ``blank``. That is the same
    thing where all places are normalised alike. Where each has statistics of its own (``--normalization image``,
    whitening) the image keeps those of where it was, and the border has those of where it comes to lie.

    Parameters
    ----------
    backend : Backend
        Where the images are.
    streams : Streams
        Where the random numbers come from, as for `Augmentation`.
    input_shape : tuple of int
        The shape (H, W, C) of an image.
    blank : array, shape (H, W, C), optional
        A black image as the net takes it, `Preprocessing.blank`; 0 unless given, as ``--normalization scale`` makes it.
    padding : int, default 4
        Black pixels on each side.

    Raises
    ------
    ConfigError
        If the samples are vectors, not images.
    DataError
        If ``blank`` is of another shape.

    Examples
    --------
    >>> from bdfa_np import make_backend
    >>> from bdfa_np.random_streams import Streams
    >>> backend = make_backend("numpy")
    >>> augmentation = CropFlip(backend, Streams(0), (32, 32, 3))
    >>> augmentation(backend.zeros((64, 32, 32, 3)), epoch=1, step=1).shape
    (64, 32, 32, 3)
    """

    def __init__(
        self,
        backend: "Backend",
        streams: Streams,
        input_shape: tuple[int, ...],
        blank: "Array | None" = None,
        padding: int = 4,
    ) -> None:
        super().__init__(backend, streams, input_shape)
        self._blank = backend.zeros(input_shape) if blank is None else backend.asarray(blank)
        if self._blank.shape != input_shape:
            raise DataError(f"a blank image of shape {self._blank.shape} does not fit images of shape {input_shape}")
        self._padding = padding

    def alter(self, x: "Array", generator: "np.random.Generator", out: "Array") -> "Array":
        """Draw the places and which are mirrored."""
        top, left = generator.integers(-self._padding, self._padding, size=(2, len(x)), endpoint=True)
        mirrored = generator.integers(2, size=len(x), dtype=bool)
        return self._backend.shift_and_mirror(x, self._blank, top, left, mirrored, out)

"""Random crops and mirror images of training batches."""

from typing import TYPE_CHECKING

from bdfa_np.errors import ConfigError, DataError
from bdfa_np.random_streams import Streams
from bdfa_np.representation import one_line, shape_text

if TYPE_CHECKING:
    from bdfa_np.backend.base import Array, Backend


class Augmentation:
    """Random crops of training images, scaled back to their size, half of them mirrored left-right.

    For each image a margin s is drawn uniformly from 0..⌊min(H, W)/4⌋, then the crop of (H-s) × (W-s) pixels, whose
    first row and first column are drawn uniformly from 0..s. The crop is scaled back to H × W bilinearly with aligned
    corners, and mirrored with probability ½. A whole batch is worked on at once, on the backend's device.

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

    def __init__(self, backend: "Backend", streams: Streams, input_shape: tuple[int, ...]) -> None:
        if len(input_shape) != 3:
            raise ConfigError(
                f"augmentation needs images of shape (H, W, C), not samples of shape {input_shape}: "
                "train on these without it"
            )
        self._backend = backend
        self._streams = streams
        self._input_shape = input_shape
        self._largest_margin = min(input_shape[:2]) // 4
        self._out = backend.empty((0, *input_shape))

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
        size = len(x)
        if size > len(self._out):
            self._out = self._backend.empty(x.shape)
        generator = self._streams.generator("augment", epoch, step)
        margin = generator.integers(self._largest_margin, size=size, endpoint=True)
        top = generator.integers(margin, endpoint=True)
        left = generator.integers(margin, endpoint=True)
        mirrored = generator.integers(2, size=size, dtype=bool)
        return self._backend.crop_and_mirror(x, top, left, margin, mirrored, self._out[:size])

"""What is done to images before a network sees them."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bdfa_np.errors import DataError


@dataclass(frozen=True)
class Scaling:
    """Scaling to [0, 1] by the smallest and the largest value of the training images.

    Parameters
    ----------
    minimum : float
        The value that becomes 0.
    maximum : float
        The value that becomes 1.

    Raises
    ------
    DataError
        If the two cannot be told apart in float32.

    Examples
    --------
    >>> import numpy as np
    >>> scaling = Scaling(0.0, 255.0)
    >>> scaling.apply(np.array([0, 51, 255], np.uint8), np.empty(3, np.float32)).tolist()
    [0.0, 0.20000000298023224, 1.0]
    """

    minimum: float
    maximum: float

    # On the training images, the outputs lie in [0, 1]: losses and output layers may rely on it.
    unit_range: ClassVar[bool] = True

    def __post_init__(self) -> None:
        with np.errstate(over="ignore", invalid="ignore"):
            span = np.float32(self.maximum) - np.float32(self.minimum)
        if not (np.isfinite(span) and span > 0):
            raise DataError(
                f"images with values from {self.minimum} to {self.maximum} cannot be scaled to 0..1: "
                "the training images must hold at least two values that float32 tells apart"
            )

    @classmethod
    def fit(cls, train_images: NDArray[Any]) -> "Scaling":
        """Return the scaling of these training images.

        Parameters
        ----------
        train_images : ndarray, shape (N, H, W, C)
            The images that are trained on, and no others.

        Returns
        -------
        Scaling
            By their smallest and largest value.

        Raises
        ------
        DataError
            If all their values are the same.
        """
        return cls(float(train_images.min()), float(train_images.max()))

    def apply(self, images: NDArray[Any], out: NDArray[Any]) -> NDArray[Any]:
        """Write ``(images - minimum) / (maximum - minimum)`` to ``out``, computed in the type of ``out``.

        Parameters
        ----------
        images : ndarray, any shape
            Images as they are kept, for example uint8.
        out : ndarray of floating-point numbers, the shape of ``images``
            Where the scaled images go.

        Returns
        -------
        ndarray
            ``out``.
        """
        # The span is a difference of rounded numbers, as each pixel's is: so the largest pixel becomes exactly 1.
        minimum = out.dtype.type(self.minimum)
        span = out.dtype.type(self.maximum) - minimum
        np.subtract(images, minimum, out=out, dtype=out.dtype)
        np.divide(out, span, out=out)
        return out

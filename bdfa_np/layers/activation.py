"""Elementwise non-linearities. Most keep their output alone, since the slope can be written in terms of it."""

from math import isfinite
from typing import Any

from bdfa_np.backend import maths
from bdfa_np.backend.base import Array
from bdfa_np.backend.formula import formula
from bdfa_np.layers.base import Layer


class NonLinearity(Layer):
    """Base of all non-linearities: a function of each entry, and the way back through its slope."""

    y: Array

    @staticmethod
    def activated(*entries: Any, **constants: Any) -> Any:
        """Return ``y`` for an entry ``a``, as a formula."""
        raise NotImplementedError

    @staticmethod
    def through_slope(*entries: Any, **constants: Any) -> Any:
        """Return ``∂E/∂a`` for entries ``grad_y`` and what is `kept`, as a formula."""
        raise NotImplementedError

    def constants(self) -> dict[str, float]:
        """Return the constants of both formulas, which are the arguments of the constructor; most have none."""
        return {}

    @property
    def kept(self) -> Array:
        """What the slope is a formula of: the output, unless a kind says otherwise."""
        return self.y

    def forward(self, a: Array, train: bool = True) -> Array:
        """Compute ``y`` entry by entry, and keep it."""
        self.y = self.over_input(a, "y")
        self.backend.elementwise(self.activated, (a,), (self.y,), **self.constants())
        return self.y  # (N, ...)

    def apply(self, a: Array) -> Array:
        """Compute ``y`` in place of ``a`` and return it; nothing is kept of it, and ``backward`` knows nothing."""
        self.backend.elementwise(self.activated, (a,), (a,), **self.constants())
        return a

    def backward(self, grad_y: Array, need_grad_in: bool = True) -> Array | None:
        """Return ``grad_y`` times the slope."""
        if not need_grad_in:
            return None
        grad_a = self.over_signal(grad_y)
        self.backend.elementwise(self.through_slope, (grad_y, self.kept), (grad_a,), **self.constants())
        return grad_a  # (N, ...)

    def push_forward(self, da: Array) -> Array:
        """Return ``da`` times the slope: the Jacobian is diagonal, and its own transpose."""
        dy = self.backend.lend(self.y.shape)
        self.backend.elementwise(self.through_slope, (da, self.kept), (dy,), **self.constants())
        return dy  # (N, ...)


class Tanh(NonLinearity):
    """``y = tanh(a)``; the slope is ``1 - y²``."""

    kind = "tanh"
    gives_signal = True

    @staticmethod
    @formula
    def activated(a):
        """``tanh(a)``."""
        return maths.tanh(a)

    @staticmethod
    @formula
    def through_slope(grad_y, y):
        """``grad_y (1 - y²)``."""
        return grad_y * (1 - y * y)


class Sigmoid(NonLinearity):
    """``y = 1 / (1 + exp(-a))``, computed as ``(1 + tanh(a/2)) / 2``; the slope is ``y (1 - y)``."""

    kind = "sigmoid"
    gives_signal = True

    @staticmethod
    @formula
    def activated(a):
        """``(1 + tanh(a/2)) / 2``, which cannot overflow."""
        return 0.5 * (1 + maths.tanh(0.5 * a))

    @staticmethod
    @formula
    def through_slope(grad_y, y):
        """``grad_y y (1 - y)``."""
        return grad_y * ((1 - y) * y)


class ReLU(NonLinearity):
    """``y = max(a, 0)``; the slope is 1 where ``y > 0``, else 0."""

    kind = "relu"
    gives_signal = True
    dead_at_zero = True

    @staticmethod
    @formula
    def activated(a):
        """``max(a, 0)``."""
        return maths.maximum(a, 0)

    @staticmethod
    @formula
    def through_slope(grad_y, y):
        """``grad_y`` where ``y > 0``, else 0."""
        return grad_y * (y > 0)


class LeakyReLU(NonLinearity):
    """``y = a`` where ``a > 0``, else ``s a``, with a slope ``s`` there (Maas et al., ICML workshop 2013).

    Parameters
    ----------
    slope : float, default 0.01
        ``s``; 0 or more, so that the sign of ``y`` is that of ``a``.

    Raises
    ------
    ValueError
        If the slope is negative, or no finite number.
    """

    kind = "leaky_relu"
    gives_signal = True

    def __init__(self, slope: float = 0.01) -> None:
        super().__init__()
        if not (isfinite(slope) and slope >= 0):
            raise ValueError(f"LeakyReLU needs a slope of 0 or more, not {slope}")
        self.slope = slope

    def constants(self) -> dict[str, float]:
        """Return the slope."""
        return {"slope": self.slope}

    @staticmethod
    @formula
    def activated(a, *, slope):
        """Return ``a`` where ``a > 0``, else ``s a``."""
        return maths.where(a > 0, a, slope * a)

    @staticmethod
    @formula
    def through_slope(grad_y, y, *, slope):
        """``grad_y`` where ``y > 0``, else ``s grad_y``."""
        return maths.where(y > 0, grad_y, slope * grad_y)


class GELU(NonLinearity):
    """``y = a Φ(a)``, ``Φ`` being the normal distribution; the slope is ``Φ(a) + a φ(a)``.

    (Hendrycks and Gimpel, arXiv 1606.08415, section 2, without the approximations there.) The slope is no function of
    ``y``; it is computed beside it, where ``Φ`` is at hand, and kept.
    """

    kind = "gelu"
    gives_output = True
    gives_signal = True
    slope: Array

    @property
    def kept(self) -> Array:
        """The slope itself."""
        return self.slope

    def forward(self, a: Array, train: bool = True) -> Array:
        """Compute ``y`` and the slope entry by entry, and keep the slope."""
        self.y, self.slope = self.over_input(a, "y"), self.buffer("slope", a.shape)
        self.backend.elementwise(self.activated, (a,), (self.y, self.slope))
        return self.y  # (N, ...)

    def apply(self, a: Array) -> Array:
        """Compute ``y`` in place of ``a`` and return it; the slope beside it is kept by nobody."""
        self.backend.elementwise(self.activated, (a,), (a, self.backend.lend(a.shape)))
        return a

    @staticmethod
    @formula
    def activated(a):
        """Return ``a Φ(a)`` and ``Φ(a) + a φ(a)``: ``Φ(a) = (1 + erf(a/√2)) / 2``, ``φ(a) = exp(-a²/2) / √(2π)``."""
        distribution = 0.5 + 0.5 * maths.erf(0.7071067811865476 * a)
        density = 0.3989422804014327 * maths.exp(-0.5 * a * a)
        return a * distribution, distribution + a * density

    @staticmethod
    @formula
    def through_slope(grad_y, slope):
        """``grad_y`` times the slope."""
        return grad_y * slope


NON_LINEARITIES: dict[str, type[NonLinearity]] = {
    "tanh": Tanh,
    "sigm": Sigmoid,
    "relu": ReLU,
    "leaky_relu": LeakyReLU,
    "gelu": GELU,
}
"""By the names that ``--nonlin`` takes."""

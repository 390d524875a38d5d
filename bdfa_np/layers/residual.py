"""Residual blocks."""

from collections.abc import Sequence

from bdfa_np.backend.base import Array
from bdfa_np.backend.formula import formula
from bdfa_np.layers.base import Layer, Shape, TangentWalk, Walk
from bdfa_np.layers.container import Container
from bdfa_np.representation import shape_text


class Residual(Container):
    """``y = F(x) + s(x)``: the layers of a branch ``F`` beside a shortcut ``s`` (He et al., arXiv 1512.03385, eq. 1-2).

    Every rule's signal is sent down both, and added up: without layers, the shortcut passes it unchanged.

    Parameters
    ----------
    branch : sequence of Layer
        ``F``, from the block's input up; a non-linearity after the sum is a layer of its own, above the block.
    shortcut : sequence of Layer, default ()
        ``s``; the identity unless given. Where ``F`` changes shapes, a projection or a `PadShortcut`.

    Raises
    ------
    ValueError
        If the branch has no layers; once bound, if both do not come out in one shape.

    Examples
    --------
    >>> from bdfa_np import BatchNorm, Conv2d, ReLU, Sequential
    >>> branch = [Conv2d(8, 3, stride=2, padding=1, bias=False), BatchNorm(), ReLU(), Conv2d(8, 3, padding=1)]
    >>> block = Residual(branch, shortcut=[Conv2d(8, 1, stride=2, bias=False)])
    >>> Sequential([block], input_shape=(6, 6, 4))
    Sequential(6x6x4 → 3x3x8, 920 parameters, numpy float32)
    layer                 output  parameters  multiply-adds
    residual1             3x3x8            0              0
    residual1.conv1       3x3x8          288          2,592
    residual1.batchnorm1  3x3x8           16              0
    residual1.relu1       3x3x8            0              0
    residual1.conv2       3x3x8          584          5,184
    residual1.conv3       3x3x8           32            288
    all                                  920          8,064
    """

    kind = "residual"
    gives_output = True
    gives_signal = True
    said_by_shape = ("branch", "shortcut")

    def __init__(self, branch: Sequence[Layer], shortcut: Sequence[Layer] = ()) -> None:
        for layers in (branch, shortcut):
            if isinstance(layers, Layer):
                raise ValueError("Residual takes lists of layers: Residual([Linear(5), Tanh()], shortcut=[Linear(5)])")
        if not branch:
            raise ValueError("the branch of a Residual needs at least one layer")
        super().__init__(branch, shortcut)
        self.branch, self.shortcut = self.branches()

    def infer_shape(self, input_shape: Shape) -> Shape:
        """Return the shape that branch and shortcut come out in."""
        of_branch, of_shortcut = self.branch_shapes
        if of_branch != of_shortcut:
            raise ValueError(
                f"{self.name} adds up a branch of shape {shape_text(of_branch)} and a shortcut of shape "
                f"{shape_text(of_shortcut)}, which must be one: give it a shortcut=[...] that changes shapes as its "
                "branch does"
            )
        return of_branch

    def forward(self, x: Array, train: bool = True) -> Array:
        """``y = F(x) + s(x)``."""
        y, beside = self.through(self.branch, x, train), self.through(self.shortcut, x, train)
        out = y if self.branch[-1].frees_output() else self.buffer("y", y.shape)
        return self._added(y, beside, out)

    def backward(self, grad_y: Array, need_grad_in: bool = True) -> Array | None:
        """Return ``J_Fᵀ grad_y + J_sᵀ grad_y``."""
        below = self.back(self.branch, grad_y, need_grad_in)
        beside = self.back(self.shortcut, grad_y, need_grad_in)
        return self._joined(below, beside) if need_grad_in else None

    def carry_back(self, signal: Array, walk: Walk) -> Array | None:
        """Send the signal down the branch and the shortcut, and add up what comes out."""
        return self._joined(walk(self.branch, signal), walk(self.shortcut, signal))

    def carry_forward(self, tangent: Array | None, walk: TangentWalk) -> Array | None:
        """Send the tangent up the branch and the shortcut, and add up what comes out."""
        dy, beside = walk(self.branch, tangent), walk(self.shortcut, tangent)
        if dy is None or beside is None:
            return beside if dy is None else dy
        return self._added(dy, beside, self.backend.lend(dy.shape))

    def _joined(self, below: Array | None, beside: Array | None) -> Array | None:
        """Return the sum of the signals at the input, where it is wanted: of a branch that is None it is not."""
        if below is None or beside is None:
            return None
        free = self.backend.hands_over and self.branch[0].frees_signal()
        return self._added(below, beside, below if free else self.backend.lend(below.shape))

    def _added(self, one: Array, other: Array, out: Array) -> Array:
        self.backend.elementwise(added, (one, other), (out,))
        return out


@formula
def added(one, other):
    """``one + other``."""
    return one + other

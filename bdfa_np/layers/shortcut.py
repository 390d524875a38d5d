"""The shortcut without weights of a residual block whose shapes change."""

from bdfa_np.backend.base import Array
from bdfa_np.layers.base import Layer, Shape


class PadShortcut(Layer):
    """Every ``stride``-th pixel of ``x`` (N, H, W, C), between channels of zeros, half of the new ones on either side.

    (He et al., arXiv 1512.03385, section 4.2, option A.) It is the ``shortcut`` of a `Residual` whose first
    convolution has this stride. Where the number of new channels is odd, one more comes last.

    Parameters
    ----------
    channels : int
        Channels that come out, of which those of the input are the middle.
    stride : int, default 2
        Step from one pixel that is taken to the next; the first is one of them.

    Raises
    ------
    ValueError
        If a number is less than 1; once bound, if the samples are no images, or have more channels.
    """

    kind = "shortcut"
    gives_output = True
    gives_signal = True
    said_by_shape = ("channels",)

    def __init__(self, channels: int, stride: int = 2) -> None:
        super().__init__()
        if min(channels, stride) < 1:
            raise ValueError("PadShortcut needs channels and a stride of 1 or more")
        self.channels = channels
        self.stride = stride

    def infer_shape(self, input_shape: Shape) -> Shape:
        """Return (⌈H/stride⌉, ⌈W/stride⌉, channels); the input must be an image of no more channels."""
        if len(input_shape) != 3:
            raise ValueError(f"{self.name} takes images (H, W, C), not samples of shape {input_shape}")
        H, W, C = input_shape
        if self.channels < C:
            raise ValueError(f"{self.name} adds channels: it cannot make {self.channels} of {C}")
        return (-(-H // self.stride), -(-W // self.stride), self.channels)

    def forward(self, x: Array, train: bool = True) -> Array:
        """``y[:, i, j, before + c] = x[:, stride·i, stride·j, c]``, and 0 in all other channels."""
        return self._spread(x, self.buffer("y", (len(x), *self.output_shape)))  # (N, Ho, Wo, channels)

    def backward(self, grad_y: Array, need_grad_in: bool = True) -> Array | None:
        """Hand the gradient back to the pixels that were taken; all others get 0."""
        if not need_grad_in:
            return None
        grad_x = self.backend.lend((len(grad_y), *self.input_shape))
        grad_x.fill(0)
        grad_x[:, :: self.stride, :: self.stride] = self._middle(grad_y)
        return grad_x  # (N, H, W, C)

    def push_forward(self, dx: Array) -> Array:
        """Return what ``forward`` makes of the tangent."""
        return self._spread(dx, self.backend.lend((len(dx), *self.output_shape)))  # (N, Ho, Wo, channels)

    def _spread(self, x: Array, y: Array) -> Array:
        y.fill(0)
        self._middle(y)[...] = x[:, :: self.stride, :: self.stride]
        return y

    def _middle(self, y: Array) -> Array:
        C = self.input_shape[2]
        before = (self.channels - C) // 2
        return y[..., before : before + C]

"""``conv`` in PyTorch, as fast as we can write it: as `torch_mlp`, with oneDNN's convolutions.

Tried, in ms a step for 64 images on two cores (PyTorch 2.13), channels last in memory or first: ``bp`` 233 or 301,
``dfa`` 181 or 217, a pass in use 78 or 101. Nine tenths of it are convolutions and products. What made no difference:
keeping freed memory (``mallopt``), and flushing denormal numbers to zero.

Not done, here as in this project: pooling before the non-linearity. That gives the same maxima from a quarter of the
work on the non-linearity, but where values tie once rounded, another of them gets the gradient.
"""

import numpy as np
import torch
from measure.jobs import Job
from programs.torch_data import tensors
from programs.torch_mlp import NON_LINEARITIES, ONEDNN, ByHand
from torch import Tensor, nn

from bdfa_np.networks.conv import CHANNELS

aten = torch.ops.aten
PADDING, POOL, STRIDE = [2, 2], [3, 3], [2, 2]
BLOCKS = len(CHANNELS)
"""How many blocks, from the input up, are convolutional."""


def convolve(x: Tensor, W: Tensor, b: Tensor | None, non_linearity: str = "none", *, private: bool = True) -> Tensor:
    """Return ``f(x * W + b)``; in one private operation, which oneDNN has for float32 alone, or in two."""
    if private and x.dtype == torch.float32:
        after = ONEDNN.get(non_linearity, non_linearity)
        return torch.ops.mkldnn._convolution_pointwise(x, W, b, PADDING, [1, 1], [1, 1], 1, after, [], "")
    return NON_LINEARITIES[non_linearity](nn.functional.conv2d(x, W, b, padding=PADDING))


def convolution_gradients(
    signal: Tensor, x: Tensor, W: Tensor, which: tuple[bool, bool, bool]
) -> tuple[Tensor, Tensor, Tensor]:
    """Return those gradients of a convolution that are asked for: of x, of W, of b."""
    return aten.convolution_backward(signal, x, W, [len(W)], [1, 1], PADDING, [1, 1], False, [0, 0], 1, which)


class ConvByHand(ByHand):
    """A step of every rule; images lie in memory with the channels last, or first."""

    def __init__(self, job: Job, private: bool, channels_last: bool) -> None:
        self.format = torch.channels_last if channels_last else torch.contiguous_format
        self.chosen: dict[int, tuple[Tensor, Tensor]] = {}
        super().__init__(job, private)

    def load(self, arrays: dict[str, np.ndarray]) -> dict[str, Tensor]:
        """Turn convolutions' (k, k, C_in, C_out) into PyTorch's (C_out, C_in, k, k)."""
        found = tensors(arrays, self.job.device)
        return {name: self.lay(w.permute(3, 2, 0, 1)) if w.ndim == 4 else w for name, w in found.items()}

    def weights(self) -> dict[str, np.ndarray]:
        """Return copies of all weights and feedback weights."""
        return {name: (w.permute(2, 3, 1, 0) if w.ndim == 4 else w).cpu().numpy().copy() for name, w in self.p.items()}

    def lay(self, images: Tensor) -> Tensor:
        """Lay images, or convolutions' weights, out as this program has them."""
        return images.contiguous(memory_format=self.format)

    def to_input(self, x: Tensor) -> Tensor:
        """Return images with the channels first, in the order of the indices if not in memory."""
        return self.lay(x.permute(0, 3, 1, 2))

    def forward(self, i: int, x: Tensor) -> Tensor:
        """Convolve, then pool."""
        if i > BLOCKS:
            return super().forward(i, self.flat(x))
        name = self.names[i]
        y = convolve(x, self.p[f"{name}.W"], self.p[f"{name}.b"], self.job.non_linearity, private=self.private)
        if self.job.work == "inference":
            return nn.functional.max_pool2d(y, POOL, STRIDE)
        pooled, where = aten.max_pool2d_with_indices(y, POOL, STRIDE)
        self.chosen[i] = y, where
        return pooled

    def inside(self, i: int, signal: Tensor) -> Tensor:
        """Hand each window's signal to its maximum."""
        if i > BLOCKS:
            return super().inside(i, signal)
        y, where = self.chosen[i]
        spread = aten.max_pool2d_with_indices_backward(signal, y, POOL, STRIDE, [0, 0], [1, 1], False, where)
        return self.slope(spread, y)

    def downward(self, i: int, signal: Tensor, weights: Tensor, f: str = "none") -> Tensor:
        """Convolve transposed."""
        if i > BLOCKS:
            return self.unflat(i - 1, super().downward(i, signal, weights, f))
        below, _, _ = convolution_gradients(signal, self.h[i - 1], weights, (True, False, False))
        return NON_LINEARITIES[f](below)

    def upward(self, i: int, x: Tensor, weights: Tensor) -> Tensor:
        """Convolve without bias."""
        return (
            super().upward(i, self.flat(x), weights) if i > BLOCKS else convolve(x, weights, None, private=self.private)
        )

    def spread(self, i: int, y: Tensor) -> Tensor:
        """Give each place its nearest window's value."""
        if i > BLOCKS:
            return y
        (high, wide), (H, W) = y.shape[2:], self.chosen[i][0].shape[2:]
        rows = torch.arange(H, device=y.device).div_(STRIDE[0], rounding_mode="floor").clamp_(max=high - 1)
        columns = torch.arange(W, device=y.device).div_(STRIDE[1], rounding_mode="floor").clamp_(max=wide - 1)
        across = y.permute(0, 2, 3, 1).index_select(2, columns).index_select(1, rows)
        return self.lay(across.permute(0, 3, 1, 2))

    def gather(self, i: int, signal: Tensor) -> Tensor:
        """Add up over the places that each window filled; the signal is overwritten."""
        if i > BLOCKS:
            return signal
        high, wide = (STRIDE[0] * side for side in self.h[i].shape[2:])
        signal[:, :, high - 1].add_(signal[:, :, high:].sum(2))
        signal[:, :, :, wide - 1].add_(signal[:, :, :, wide:].sum(3))
        return nn.functional.avg_pool2d(signal[:, :, :high, :wide], STRIDE, divisor_override=1)

    def flat(self, h: Tensor) -> Tensor:
        """Flatten feature maps in the order rows, columns, channels: a view where the channels are last in memory."""
        return h.permute(0, 2, 3, 1).reshape(len(h), -1) if h.ndim == 4 else h

    def unflat(self, i: int, signal: Tensor) -> Tensor:
        """Undo `flat`."""
        if i > BLOCKS:
            return signal
        N, C, H, W = self.h[i].shape
        return self.lay(signal.view(N, H, W, C).permute(0, 3, 1, 2))

    def take_gradient(self, i: int, name: str, x: Tensor, signal: Tensor) -> None:
        """Hand the optimizer the gradients of a convolution."""
        if i > BLOCKS:
            super().take_gradient(i, name, self.flat(x), signal)
            return
        with_bias = name.endswith("W")
        _, dW, db = convolution_gradients(signal, x, self.p[name], (False, True, with_bias))
        self.optimizer.take(name, self.lay(dW))  # fused optimizers go by the order in memory
        if with_bias:
            self.optimizer.take(f"{self.names[i]}.b", db)


def make(job: Job, private: bool = False, channels_last: bool = True) -> ConvByHand:
    """Make the program of a job on ``conv``, by PyTorch's public operations unless told otherwise.

    ``bp`` is by hand too: autograd takes a fifth longer.

    Raises
    ------
    ValueError
        For another net.
    """
    if job.network != "conv":
        raise ValueError("this program has conv alone; torch_mlp has mlp")
    return ConvByHand(job, private, channels_last)

"""A net of ours in PyTorch, where each rule's signal is an autograd function written for the purpose.

What PyTorch computes by itself is the forward pass and every exact derivative inside a block; what a rule puts in the
place of an exact derivative is handed to it: `Carried` at layers with weights, `Injected` at feedback sites.
"""

from dataclasses import dataclass, field
from typing import Any

import pytest

from bdfa_np.layers import Conv2d, ErrorFeedback, Flatten, GlobalAvgPool, Linear, MaxPool2d, Residual, Tanh

torch = pytest.importorskip("torch", reason="PyTorch is in the extra named oracle")
nn = torch.nn
functional = nn.functional


class Carried(torch.autograd.Function):
    """A layer's product, whose gradients by W and b are exact, and whose gradient by its input is ``carry(signal)``."""

    @staticmethod
    def forward(ctx, x, W, product, weight_gradient, carry):
        ctx.save_for_backward(x)
        ctx.ways = weight_gradient, carry
        return product(x, W)

    @staticmethod
    def backward(ctx, signal):
        (x,) = ctx.saved_tensors
        weight_gradient, carry = ctx.ways
        below = carry(signal) if ctx.needs_input_grad[0] else None
        return below, weight_gradient(x, signal), None, None, None


class Injected(torch.autograd.Function):
    """A feedback site: what comes from above ends here, and ``signal()`` goes on below."""

    @staticmethod
    def forward(ctx, h, signal):
        ctx.signal = signal
        return h.clone()

    @staticmethod
    def backward(ctx, _):
        return ctx.signal(), None


def linear_way(_):
    """Return x → y, (x, δ) → dW and (δ, V) → signal at x, of a fully connected layer."""
    return (
        lambda x, W: x @ W,
        lambda x, signal: x.T @ signal,
        lambda _, signal, V: signal @ V.T,
    )


def conv_way(layer, channels):
    """Return the same of a convolution; images are (N, C, H, W) here, weights (k, k, C, K) as ours."""
    settings = {"stride": layer.stride, "padding": layer.padding}

    def theirs(W):
        return W.permute(3, 2, 0, 1)

    def weight_gradient(x, signal):
        shape = (channels, x.shape[1], layer.kernel_size, layer.kernel_size)
        return nn.grad.conv2d_weight(x, shape, signal, **settings).permute(2, 3, 1, 0)

    return (
        lambda x, W: functional.conv2d(x, theirs(W), **settings),
        weight_gradient,
        lambda shape, signal, V: nn.grad.conv2d_input(shape, theirs(V), signal, **settings),
    )


def way_of(layer, channels=None):
    """Return the three functions of a layer with weights; ``channels`` is another width of the signal than its own."""
    return linear_way(layer) if isinstance(layer, Linear) else conv_way(layer, channels or layer.channels)


@dataclass
class Net:
    """One of our networks in PyTorch.

    Attributes
    ----------
    network : Sequential
        Ours, in float64.
    carry : callable or None
        ``carry(name, signal, through)`` is the signal at the input of a layer with weights; ``through(V)`` is the
        signal carried through a matrix V, ``through(V, other)`` another one. None: exactly.
    inject : callable or None
        ``inject(name)`` is the signal at a site, in our order of entries (N, n). None: what comes from above.
    leaves : dict of str to tensor
        Weights and biases, by our names.
    h : dict of str to tensor
        What came out of each layer in the forward pass, images as (N, C, H, W).
    inputs : dict of str to tensor
        What went into each layer with weights.
    """

    network: Any
    carry: Any = None
    inject: Any = None
    leaves: dict = field(default_factory=dict)
    h: dict = field(default_factory=dict)

    inputs: dict = field(default_factory=dict)

    def __post_init__(self):
        weights = self.network.weights
        self.leaves = {name: torch.tensor(weights[name], requires_grad=True) for name in weights}

    def forward(self, x, added=None):
        """Return the logits of x in our layout; ``added[name]`` is added to what comes out of a layer."""
        h = torch.tensor(x)
        if h.ndim == 4:
            h = h.permute(0, 3, 1, 2)
        return self.through(self.network.layers, h, added or {})

    def through(self, layers, h, added):
        for layer in layers:
            h = self.h[layer.name] = self.layer(layer, h, added)
            if layer.name in added:
                h = h + added[layer.name]
        return h

    def layer(self, layer, h, added):
        if isinstance(layer, Residual):
            branch, *shortcut = layer.branches()
            return self.through(branch, h, added) + (self.through(shortcut[0], h, added) if shortcut else h)
        if isinstance(layer, (Linear, Conv2d)):
            return self.weighted(layer, h)
        if isinstance(layer, ErrorFeedback) and self.inject is not None:
            return Injected.apply(h, lambda: our_order_back(self.inject(layer.name), h.shape))
        simple = {
            Tanh: torch.tanh,
            Flatten: our_order,
            ErrorFeedback: lambda h: h,
            GlobalAvgPool: lambda h: h.mean((2, 3)),
        }
        if isinstance(layer, MaxPool2d):
            return functional.max_pool2d(h, layer.size, layer.stride)
        return simple[type(layer)](h)

    def weighted(self, layer, h):
        product, weight_gradient, through = way_of(layer)
        W, b = self.leaves[f"{layer.name}.W"], self.leaves[f"{layer.name}.b"]
        self.inputs[layer.name] = h.detach()
        if self.carry is None:
            y = product(h, W)
        else:

            def carry(signal):
                return self.carry(layer.name, signal, lambda V, from_signal=signal: through(h.shape, from_signal, V))

            y = Carried.apply(h, W, product, weight_gradient, carry)
        return y + (b if isinstance(layer, Linear) else b[:, None, None])


def our_order(h):
    """Return feature maps (N, C, H, W) as ours flatten, (N, H·W·C); vectors as they are."""
    return h.permute(0, 2, 3, 1).flatten(1) if h.ndim == 4 else h


def our_order_back(flat, shape):
    """Return the transpose of `our_order`."""
    if len(shape) == 2:
        return flat
    N, C, H, W = shape
    return flat.reshape(N, H, W, C).permute(0, 3, 1, 2)


def error_of(logits, labels, criterion):
    """Return the error handed to a rule, the targets, and what the error is divided by: the samples or 1."""
    t = functional.one_hot(torch.tensor(labels), logits.shape[1]).to(logits.dtype)
    N = len(logits)
    if criterion == "bce":
        return torch.sigmoid(logits) - t, t, 1
    return ((torch.softmax(logits, 1) if criterion == "ce" else logits) - t) / N, t, N

"""``mlp`` in PyTorch: without autograd and in place, by its public operations or by whatever it has inside.

Public are the functions of its documentation, with the optimizers of ``torch.optim``, but for SGD, which is one
``addmm_``; ``bp`` is autograd there. Private are oneDNN's fused operations and PyTorch's fused kernel, for every rule.

Tried, in ms, for 64 (128) rows of 800 and 800 x 800 weights on two cores (PyTorch 2.13):

    tanh(x W + b)   ``addmm`` and ``tanh_`` 0.54 (1.03); ``_linear_pointwise``, by oneDNN, 0.40 (0.79)
    delta W^T       ``mm`` 0.48 (0.89); ``_linear_pointwise`` 0.44 (0.82)
    x^T delta       ``mm`` 0.43 (0.83), the other way round the same; ``_linear_pointwise`` 0.45 (0.85)

What made no difference: ``mm`` for the thin product e B, flushing denormal numbers to zero, and whether weights lie in
memory as (in, out) or (out, in). With modules and autograd ``bp`` takes 1.3 to 1.5 times as long (see `biotorch`).
"""

import itertools
from collections.abc import Callable

import numpy as np
import torch
from measure.jobs import Job, Program, build, parameters
from programs import biotorch
from programs.torch_data import tensor_batches, tensors
from programs.torch_optimizers import PRIVATE_OPTIMIZERS, PUBLIC_OPTIMIZERS
from torch import Tensor

from bdfa_np.rules.direct.bdfa import LEARNING_RATE
from bdfa_np.rules.targets import ALPHA

aten = torch.ops.aten

SLOPES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "tanh": lambda signal, y: aten.tanh_backward.grad_input(signal, y, grad_input=signal),
    "sigm": lambda signal, y: aten.sigmoid_backward.grad_input(signal, y, grad_input=signal),
    "relu": lambda signal, y: aten.threshold_backward.grad_input(signal, y, 0, grad_input=signal),
}
"""Multiply a signal in place by the slope where a non-linearity gave y."""
NON_LINEARITIES: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh_,
    "sigm": torch.sigmoid_,
    "relu": torch.relu_,
    "none": lambda y: y,
}
"""What is applied to a product in place."""
ONEDNN = {"sigm": "sigmoid"}
"""Where oneDNN has another name for a non-linearity than this project."""


def product(
    x: Tensor, W: Tensor, b: Tensor | None = None, non_linearity: str = "none", *, private: bool = True
) -> Tensor:
    """Return ``f(x W + b)``; in one private operation, which oneDNN has for float32 alone, or in two."""
    if private and x.dtype == torch.float32:
        after = ONEDNN.get(non_linearity, non_linearity)
        return torch.ops.mkldnn._linear_pointwise(x, W.t(), b, after, [], "")
    y = x @ W if b is None else torch.addmm(b, x, W)
    return NON_LINEARITIES[non_linearity](y)


class ByHand:
    """A step of every rule in the fewest operations that PyTorch has for it; neither loss nor errors are counted.

    Blocks are counted from 1; the last, ``top``, is the output layer. ``h[i]`` is what block i gives, ``h[0]`` the
    batch, and ``delta[i]`` the signal at the output of its weights. A net with other blocks overrides the methods
    of one block.
    """

    def __init__(self, job: Job, private: bool) -> None:
        model = build(job)
        self.job = job
        self.private = private
        self.p = self.load(parameters(model))
        trained = {name for vector in model.rule.trained for name in vector}
        optimizers = PRIVATE_OPTIMIZERS if private else PUBLIC_OPTIMIZERS
        self.optimizer = optimizers[job.optimizer]({name: self.p[name] for name in self.p if name in trained})
        self.rotation = itertools.cycle([(self.to_input(x), t) for x, t in tensor_batches(job)])
        self.names = dict(enumerate((layer.name for layer in model.network if layer.parameters()), start=1))
        self.top = len(self.names)
        self.slope = SLOPES[job.non_linearity]

    def load(self, arrays: dict[str, np.ndarray]) -> dict[str, Tensor]:
        """Return the parameters as this program lays them out."""
        return tensors(arrays, self.job.device)

    def weights(self) -> dict[str, np.ndarray]:
        """Return copies of all weights and feedback weights."""
        return {name: tensor.cpu().numpy().copy() for name, tensor in self.p.items()}

    def to_input(self, x: Tensor) -> Tensor:
        """Return images (N, H, W, C) as the first block takes them."""
        return x.flatten(1)

    @torch.inference_mode()
    def __call__(self) -> None:
        """Train on the next batch, or let it pass forward."""
        x, t = next(self.rotation)
        self.h, self.delta = {0: x}, {}
        for i in self.names:
            self.h[i] = self.forward(i, self.h[i - 1])
        if self.job.work == "inference":
            return
        self.delta[self.top] = torch.sigmoid(self.h[self.top]).sub_(t)
        self.send_signals()
        if self.job.rule == "bdfa":
            self.train_feedback(t)
        elif self.job.rule == "bfa":
            self.feedback_phase(x, t)
        for i, name in self.names.items():
            self.take_gradient(i, f"{name}.W", self.h[i - 1], self.delta[i])
        self.optimizer.step()

    def forward(self, i: int, x: Tensor) -> Tensor:
        """Return what block i makes of x."""
        f = "none" if i == self.top else self.job.non_linearity
        return product(x, self.p[f"{self.names[i]}.W"], self.p[f"{self.names[i]}.b"], f, private=self.private)

    def inside(self, i: int, signal: Tensor) -> Tensor:
        """Take a signal at what block i gives to the output of its weights; it may be overwritten."""
        return self.slope(signal, self.h[i])

    def downward(self, i: int, signal: Tensor, weights: Tensor, f: str = "none") -> Tensor:
        """Take a signal at the output of block i's weights to its input, through these or others of their shape."""
        return product(signal, weights.t(), None, f, private=self.private)

    def upward(self, i: int, x: Tensor, weights: Tensor) -> Tensor:
        """Take x through block i's weights without bias or non-linearity."""
        return product(x, weights, private=self.private)

    def spread(self, i: int, y: Tensor) -> Tensor:
        """Blow y, as block i gives it, up to the output of its weights, where there is pooling between."""
        return y

    def gather(self, i: int, signal: Tensor) -> Tensor:
        """Apply the transpose of `spread`."""
        return signal

    def flat(self, h: Tensor) -> Tensor:
        """Return what a block gives as (N, n), in the order of the feedback weights; a view of it."""
        return h

    def unflat(self, i: int, signal: Tensor) -> Tensor:
        """Return a signal (N, n) in the shape of what block i gives."""
        return signal

    def take_gradient(self, i: int, name: str, x: Tensor, signal: Tensor) -> None:
        """Hand the optimizer the gradient of block i's W and b, or of its B."""
        self.optimizer.take_product(name, x, signal)
        if name.endswith("W"):
            self.optimizer.take_sum(f"{self.names[i]}.b", signal)

    def send_signals(self) -> None:
        """``δ_i = (e B_i) ⊙ f'(a_i)``, or ``(δ_{i+1} Bᵀ_{i+1}) ⊙ f'(a_i)``, under ``bp`` with W in place of B."""
        for i in reversed(range(1, self.top)):
            if self.job.rule in ("dfa", "bdfa"):
                signal = self.unflat(i, product(self.delta[self.top], self.p[f"feedback{i}.B"], private=self.private))
            else:
                weights = self.p[f"{self.names[i + 1]}.{'W' if self.job.rule == 'bp' else 'B'}"]
                signal = self.downward(i + 1, self.delta[i + 1], weights)
            self.delta[i] = self.inside(i, signal)

    def train_feedback(self, t: Tensor) -> None:
        """``B += η Σ (1 - σ(<Y B, h>)) Yᵀ h`` at every hidden block, with the target Y named torch."""
        known = t.bool()
        for k, i in enumerate(reversed(range(1, self.top)), start=1):
            B, h = self.p[f"feedback{i}.B"], self.flat(self.h[i])
            Y = torch.mul(self.h[self.top], ALPHA**k).masked_fill_(known, 1)
            s = torch.linalg.vecdot(product(Y, B, private=self.private), h)
            Y.mul_(s.neg_().sigmoid_()[:, None])
            B.addmm_(Y.t(), h, alpha=LEARNING_RATE)

    def feedback_phase(self, x: Tensor, t: Tensor) -> None:
        """Draw x from t through B, then hand the error up through W.

        What is blown up holds copies only, so that the non-linearity and its slope are computed before.
        """
        g = {self.top: t}
        for i in reversed(range(1, self.top)):
            above = self.spread(i + 1, g[i + 1])
            g[i] = self.downward(i + 1, above, self.p[f"{self.names[i + 1]}.B"], self.job.non_linearity)
        epsilon = {0: self.downward(1, self.spread(1, g[1]), self.p[f"{self.names[1]}.B"], "sigm").sub_(x)}
        for i in range(1, self.top):
            carried = self.gather(i, self.upward(i, epsilon[i - 1], self.p[f"{self.names[i]}.W"]))
            epsilon[i] = self.slope(carried, g[i])
        for i, name in self.names.items():
            self.take_gradient(i, f"{name}.B", epsilon[i - 1], self.spread(i, g[i]))


def make(job: Job, private: bool = False) -> Program:
    """Make the program of a job on ``mlp``, by PyTorch's public operations unless told otherwise.

    Raises
    ------
    ValueError
        For another net.
    """
    if job.network != "mlp":
        raise ValueError("this program has mlp alone; torch_conv has conv")
    if job.rule == "bp" and job.work == "step" and not private:
        return biotorch.make(job, tuned=True)
    return ByHand(job, private)

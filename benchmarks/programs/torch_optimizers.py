"""The optimizers of this project in PyTorch, for code that makes its gradients without autograd: public and private.

Tried, in ms a step for the 1.3 million parameters of ``mlp`` at its default size, on two cores (PyTorch 2.13):

    SGD      into the product that makes the gradient 0 more than that product; ``sub_`` 0.09; torch.optim 0.10
    RMSprop  the fused kernel below 0.31; by hand on one flat vector 0.78, in blocks 1.1; torch.optim 1.2, foreach 1.4
    Adam     the fused kernel 0.32; torch.optim: fused 0.43, foreach 2.0, default 2.8

One flat vector in place of a list of parameters is 0.02 faster, and an update right after each gradient, while that is
in cache, 0.05 slower. torch.compile was left out: it needs a C++ compiler on the user's machine.
"""

from math import sqrt
from typing import ClassVar

import torch
from measure.jobs import LEARNING_RATE
from torch import Tensor

FAR = 1e9
"""A step by which a running mean has forgotten that it began with zero, to the last bit."""


class SGD:
    """``w -= rate · g``, where possible by the very product that makes ``g``, which is then never stored."""

    def __init__(self, parameters: dict[str, Tensor]) -> None:
        self.parameters = parameters

    def take_product(self, name: str, left: Tensor, right: Tensor) -> None:
        """Take ``leftᵀ right`` for a parameter's gradient."""
        self.parameters[name].addmm_(left.t(), right, alpha=-LEARNING_RATE)

    def take_sum(self, name: str, rows: Tensor) -> None:
        """Take the sum of rows for a parameter's gradient."""
        self.parameters[name].sub_(rows.sum(0), alpha=LEARNING_RATE)

    def take(self, name: str, gradient: Tensor) -> None:
        """Take a parameter's gradient."""
        self.parameters[name].sub_(gradient, alpha=LEARNING_RATE)

    def step(self) -> None:
        """Do nothing: each gradient has been followed as it came."""


class Adam:
    """Adam as Torch7 has it, with ε added before the bias correction, by PyTorch's fused kernel.

    The kernel corrects its running means by the number of steps, and adds ε after that. Told of a step far away it
    corrects nothing, and the correction goes into the rate.
    """

    beta1, beta2, epsilon = 0.9, 0.999, 1e-8

    def __init__(self, parameters: dict[str, Tensor]) -> None:
        self.parameters = parameters
        self.steps = 0
        self.gradients = {name: torch.empty_like(w) for name, w in parameters.items()}
        self.means = self._zeros()
        self.squares = self._zeros()
        self.far = [torch.tensor(FAR)] * len(parameters)

    def _zeros(self) -> list[Tensor]:
        return [torch.zeros_like(w) for w in self.parameters.values()]

    def take_product(self, name: str, left: Tensor, right: Tensor) -> None:
        """Take ``leftᵀ right`` for a parameter's gradient."""
        torch.mm(left.t(), right, out=self.gradients[name])

    def take_sum(self, name: str, rows: Tensor) -> None:
        """Take the sum of rows for a parameter's gradient."""
        torch.sum(rows, 0, out=self.gradients[name])

    def take(self, name: str, gradient: Tensor) -> None:
        """Take a parameter's gradient, which may be written to afterwards."""
        self.gradients[name] = gradient

    def rate(self) -> float:
        """Return the rate of this step, bias correction included."""
        return LEARNING_RATE * sqrt(1 - self.beta2**self.steps) / (1 - self.beta1**self.steps)

    def step(self) -> None:
        """Follow all gradients."""
        self.steps += 1
        gradients = list(self.gradients.values())
        torch._fused_adam_(
            list(self.parameters.values()),
            gradients,
            self.means or gradients,
            self.squares,
            [],
            self.far,
            lr=self.rate(),
            beta1=self.beta1,
            beta2=self.beta2,
            weight_decay=0.0,
            eps=self.epsilon,
            amsgrad=False,
            maximize=False,
        )


class RMSprop(Adam):
    """RMSprop, which is Adam with β₁ = 0 and without bias correction.

    Its running mean is the gradient itself: the kernel is given the same memory for both, and has less to move.
    PyTorch has no fused kernel of RMSprop's own for the CPU.
    """

    beta1, beta2 = 0.0, 0.99

    def __init__(self, parameters: dict[str, Tensor]) -> None:
        super().__init__(parameters)
        self.means = []

    def rate(self) -> float:
        """Return the rate."""
        return LEARNING_RATE


class Stock(Adam):
    """An optimizer of ``torch.optim``, with the options that make it fastest."""

    kind: type[torch.optim.Optimizer]
    options: ClassVar[dict[str, bool]] = {}

    def __init__(self, parameters: dict[str, Tensor]) -> None:
        self.gradients = {name: torch.empty_like(w) for name, w in parameters.items()}
        self.trained = {name: torch.nn.Parameter(w) for name, w in parameters.items()}  # the same memory
        self.optimizer = self.kind(self.trained.values(), lr=LEARNING_RATE, eps=1e-8, **self.options)

    def step(self) -> None:
        """Follow all gradients."""
        for name, parameter in self.trained.items():
            parameter.grad = self.gradients[name]
        self.optimizer.step()


class StockRMSprop(Stock):
    """PyTorch's RMSprop."""

    kind = torch.optim.RMSprop


class StockAdam(Stock):
    """PyTorch's Adam, which adds ε after the bias correction."""

    kind = torch.optim.Adam
    options: ClassVar[dict[str, bool]] = {"fused": True}


PUBLIC_OPTIMIZERS = {"sgd": SGD, "rmsprop": StockRMSprop, "adam": StockAdam}
PRIVATE_OPTIMIZERS = {"sgd": SGD, "rmsprop": RMSprop, "adam": Adam}

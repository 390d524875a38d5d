"""``lenet`` and ``resnet20`` in PyTorch: modules and autograd, with the channels last in memory.

Under ``dfa`` a net is cut at our feedback sites: each block takes what lies below as a constant, and one call of
autograd goes backward in all blocks, from ``e B`` at the top of each: nothing is computed that the rule does not need.

Channels last are the faster layout here: laid out first, a training step of ``resnet20`` takes more than twice as long.
"""

import itertools
from collections.abc import Iterable
from typing import Any

import torch
from measure.jobs import LEARNING_RATE, Job, build, parameters
from programs.torch_data import tensor_batches, tensors
from torch import Tensor, nn

from bdfa_np.layers import BatchNorm, Conv2d, Layer, Linear, MaxPool2d, PadShortcut, Residual

NETWORKS = ("lenet", "resnet20")
RULES = ("bp", "dfa")
OPTIMIZERS: dict[str, Any] = {
    "sgd": lambda given: torch.optim.SGD(given, lr=LEARNING_RATE),
    "rmsprop": lambda given: torch.optim.RMSprop(given, lr=LEARNING_RATE, eps=1e-8),
    "adam": lambda given: torch.optim.Adam(given, lr=LEARNING_RATE, eps=1e-8, fused=True),
}


class Flat(nn.Module):
    """Flattens feature maps in the order rows, columns, channels: a view, as they lie in memory."""

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, H·W·C)."""
        return x.permute(0, 2, 3, 1).flatten(1)


class Mean(nn.Module):
    """The mean of each feature map."""

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, C)."""
        return x.mean((2, 3))


class Padded(nn.Module):
    """Every so many pixels, and channels of zeros on either side."""

    def __init__(self, stride: int, before: int, after: int) -> None:
        super().__init__()
        self.stride, self.padding = stride, (0, 0, 0, 0, before, after)

    def forward(self, x: Tensor) -> Tensor:
        """Return the shortcut of a residual block."""
        return nn.functional.pad(x[:, :, :: self.stride, :: self.stride], self.padding)


class Sum(nn.Module):
    """A branch and its shortcut, added up."""

    def __init__(self, branch: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.branch, self.shortcut = branch, shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum."""
        return self.branch(x).add_(self.shortcut(x))


class Nets:
    """The program of a job."""

    def __init__(self, job: Job) -> None:
        model = build(job)
        self.job = job
        self.given = tensors(parameters(model), "cpu")
        self.p: dict[str, Tensor] = {}
        self.feedback = [self.given[f"{site.name}.B"] for site in getattr(model.rule, "sites", ())]
        self.blocks = [self.sequential(block) for block in blocks_of(model.network)]
        if job.rule == "bp" or job.work == "inference":
            self.blocks = [nn.Sequential(*self.blocks)]
        modules = nn.ModuleList(self.blocks).to(memory_format=torch.channels_last)
        modules.train(job.work == "step")
        self.optimizer = OPTIMIZERS[job.optimizer](modules.parameters())
        batches = [(x.permute(0, 3, 1, 2), t) for x, t in tensor_batches(job)]
        self.rotation = itertools.cycle([(x.contiguous(memory_format=torch.channels_last), t) for x, t in batches])

    def sequential(self, layers: Iterable[Layer]) -> nn.Sequential:
        """Return the modules that some layers are in PyTorch."""
        return nn.Sequential(*(self.module(layer) for layer in layers))

    def module(self, layer: Layer) -> nn.Module:
        """Return the module that a layer is in PyTorch, with the same weights."""
        made: nn.Module
        if isinstance(layer, Residual):
            return Sum(self.sequential(layer.branch), self.sequential(layer.shortcut))
        if isinstance(layer, Conv2d):
            sizes = (layer.input_shape[2], layer.channels, layer.kernel_size, layer.stride, layer.padding)
            made = nn.Conv2d(*sizes, bias=layer.bias, dtype=getattr(torch, self.job.precision))
        elif isinstance(layer, Linear):
            made = nn.Linear(*layer.W.shape, dtype=getattr(torch, self.job.precision))
        elif isinstance(layer, BatchNorm):
            made = nn.BatchNorm2d(layer.output_shape[-1], layer.epsilon, layer.momentum).to(
                self.given[f"{layer.name}.gamma"]
            )
        elif isinstance(layer, MaxPool2d):
            return nn.MaxPool2d(layer.size, layer.stride)
        elif isinstance(layer, PadShortcut):
            more = layer.output_shape[-1] - layer.input_shape[-1]
            return Padded(layer.stride, more // 2, more - more // 2)
        else:
            return {"relu": lambda: nn.ReLU(inplace=True), "flatten": Flat, "globalavgpool": Mean}[layer.kind]()
        names = {"W": "weight", "b": "bias", "gamma": "weight", "beta": "bias"}
        for name in layer.parameters():
            parameter = getattr(made, names[name])
            array = self.given[f"{layer.name}.{name}"]
            parameter.data.copy_(array.permute(3, 2, 0, 1) if array.ndim == 4 else array.t())
            self.p[f"{layer.name}.{name}"] = parameter
        return made

    def __call__(self) -> None:
        """Train on the next batch, or let it pass forward."""
        x, t = next(self.rotation)
        if self.job.work == "inference":
            with torch.inference_mode():
                self.blocks[0](x)
            return
        self.optimizer.zero_grad()
        outputs = []
        for block in self.blocks:
            x = block(x.detach())
            outputs.append(x)
        error = torch.sigmoid(x.detach()).sub_(t)
        signals = [(error @ B).view(self.last(y).shape) for B, y in zip(self.feedback, outputs, strict=False)]
        signals = [signal.permute(0, 3, 1, 2) if signal.ndim == 4 else signal for signal in signals]
        torch.autograd.backward(outputs, [*signals, error] if self.job.rule == "dfa" else [error])
        self.optimizer.step()

    @staticmethod
    def last(y: Tensor) -> Tensor:
        """Return feature maps with the channels last in the order of the indices too."""
        return y.permute(0, 2, 3, 1) if y.ndim == 4 else y

    def weights(self) -> dict[str, Any]:
        """Return copies of all weights."""
        found = {name: p.detach() for name, p in self.p.items()}
        back = {name: p.permute(2, 3, 1, 0) if p.ndim == 4 else p.t() for name, p in found.items()}
        return {name: p.numpy().copy() for name, p in back.items()}


def blocks_of(layers: Iterable[Layer]) -> list[list[Layer]]:
    """Return a net's layers, cut at its feedback sites."""
    blocks: list[list[Layer]] = [[]]
    for layer in layers:
        if layer.kind == "feedback":
            blocks.append([])
        else:
            blocks[-1].append(layer)
    return blocks


def make(job: Job) -> Nets:
    """Make the program of a job.

    Raises
    ------
    ValueError
        For another net or rule.
    """
    if job.network not in NETWORKS or job.rule not in RULES:
        raise ValueError(f"this program has {' and '.join(NETWORKS)} under {' and '.join(RULES)} alone")
    return Nets(job)

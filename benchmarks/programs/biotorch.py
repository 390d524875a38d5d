"""Both nets in PyTorch as its users write them: modules, autograd, and PyTorch's optimizers.

``fa`` and ``dfa`` are done the way the library BioTorch does them (https://github.com/jsalbert/biotorch): under ``fa``
a layer is an autograd function of its own, whose backward pass takes B in place of W; under ``dfa`` a hook puts ``e B``
in the place of the gradient that autograd has computed. ``bp`` is PyTorch's own modules.
"""

import itertools
from typing import Any

import numpy as np
import torch
from measure.jobs import LEARNING_RATE, Job, build, parameters
from programs.torch_data import tensor_batches
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from bdfa_np.layers import Conv2d, Flatten, Layer, Linear, MaxPool2d

RULES = ("bp", "fa", "dfa")
NON_LINEARITIES: dict[str, type[nn.Module]] = {"tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "relu": nn.ReLU}


class LinearThroughB(torch.autograd.Function):
    """A linear layer whose input's gradient comes through B."""

    @staticmethod
    def forward(context: Any, x: Tensor, weight: Tensor, bias: Tensor, B: Tensor) -> Tensor:
        """``y = x Wᵀ + b``."""
        context.save_for_backward(x, weight, B)
        return nn.functional.linear(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(context: Any, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of x, W, b and B."""
        x, _, B = context.saved_tensors
        grad_x = grad_y.mm(B) if context.needs_input_grad[0] else None
        return grad_x, grad_y.t().mm(x), grad_y.sum(0), None


class ConvolutionThroughB(torch.autograd.Function):
    """A convolution whose input's gradient comes through B."""

    @staticmethod
    def forward(context: Any, x: Tensor, weight: Tensor, bias: Tensor, B: Tensor, padding: int) -> Tensor:
        """``y = x * W + b``."""
        context.save_for_backward(x, weight, B)
        context.padding = padding
        return nn.functional.conv2d(x, weight, bias, padding=padding)

    @staticmethod
    @once_differentiable
    def backward(context: Any, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of x, W, b, B and the padding."""
        x, weight, B = context.saved_tensors
        grad_x = None
        if context.needs_input_grad[0]:
            grad_x = nn.grad.conv2d_input(x.shape, B, grad_y, padding=context.padding)
        grad_weight = nn.grad.conv2d_weight(x, weight.shape, grad_y, padding=context.padding)
        return grad_x, grad_weight, grad_y.sum((0, 2, 3)), None, None


class AlignedLinear(nn.Linear):
    """A linear layer under ``fa``."""

    B: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """``y = x Wᵀ + b``."""
        return LinearThroughB.apply(x, self.weight, self.bias, self.B)


class AlignedConv2d(nn.Conv2d):
    """A convolution under ``fa``."""

    B: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """``y = x * W + b``."""
        return ConvolutionThroughB.apply(x, self.weight, self.bias, self.B, self.padding[0])


def direct_feedback(module: nn.Module, grad_input: tuple[Tensor, ...], grad_output: tuple[Tensor, ...]) -> Any:
    """Put ``e B`` in the place of the gradient of a module's input: the backward hook of ``dfa``."""
    return (module.error.mm(module.B).view_as(grad_input[0]),)


def channels_first(array: np.ndarray, maps: tuple[int, ...]) -> np.ndarray:
    """Bring weights or feedback into PyTorch's order: outputs, then inputs, and of feature maps the channels first.

    ``maps`` is the shape (H, W, C) of the feature maps that the rows of a matrix are about, if they are.
    """
    if array.ndim == 4:
        return array.transpose(3, 2, 0, 1)
    if len(maps) == 3:
        array = array.reshape(*maps, -1).transpose(2, 0, 1, 3).reshape(len(array), -1)
    return array.T


def channels_last(array: np.ndarray, maps: tuple[int, ...]) -> np.ndarray:
    """Undo `channels_first`."""
    if array.ndim == 4:
        return array.transpose(2, 3, 1, 0)
    array = array.T
    if len(maps) == 3:
        H, W, C = maps
        array = array.reshape(C, H, W, -1).transpose(1, 2, 0, 3).reshape(len(array), -1)
    return array


class Modules:
    """The program of a job; ``tuned``, with PyTorch's fused Adam, which its default arguments do not ask for.

    Tried for ``bp`` on ``mlp``, in ms a step of 64 images: with SGD 4.0, with RMSprop 5.6 (foreach 6.0), with Adam 5.7
    (foreach 5.5, fused 5.0). ``zero_grad(set_to_none=False)`` is slower by a tenth, and handing the error to
    ``logits.backward``, with no loss computed, faster by 0.1 ms or nothing.
    """

    def __init__(self, job: Job, tuned: bool) -> None:
        self.job = job
        self.layers: dict[str, nn.Linear | nn.Conv2d] = {}
        self.maps: dict[str, tuple[int, ...]] = {}
        self.net = self.build_net()
        self.loss = nn.BCEWithLogitsLoss(reduction="sum")
        kinds: dict[str, Any] = {"sgd": torch.optim.SGD, "rmsprop": torch.optim.RMSprop, "adam": torch.optim.Adam}
        options = {"fused": True} if tuned and job.optimizer == "adam" else {}
        self.optimizer = kinds[job.optimizer](self.net.parameters(), lr=LEARNING_RATE, **options)
        self.rotation = itertools.cycle([(x.permute(0, 3, 1, 2).contiguous(), t) for x, t in tensor_batches(job)])

    def build_net(self) -> nn.Sequential:
        """Build the net as our own is built, with the same parameters."""
        model = build(self.job)
        arrays = parameters(model)
        modules: list[nn.Module] = []
        maps: tuple[int, ...] = ()
        site = None  # the feedback site below, where there is one
        for layer in model.network:
            if isinstance(layer, (Linear, Conv2d)):
                modules.append(self.layer(layer, arrays, maps, site))
                maps = ()
            elif isinstance(layer, Flatten):
                maps = layer.input_shape
                modules.append(nn.Flatten())
            elif isinstance(layer, MaxPool2d):
                modules.append(nn.MaxPool2d(layer.size, layer.stride))
            elif layer.kind == "feedback":
                site = layer
            else:
                modules.append(NON_LINEARITIES[layer.kind]())
        return nn.Sequential(*modules)

    def layer(
        self, layer: Linear | Conv2d, arrays: dict[str, np.ndarray], maps: tuple[int, ...], site: Layer | None
    ) -> nn.Module:
        """Return a layer with weights, in the kind that the rule asks for."""
        name, aligned = layer.name, f"{layer.name}.B" in arrays
        if isinstance(layer, Linear):
            module: Any = (AlignedLinear if aligned else nn.Linear)(*layer.W.shape)
        else:
            kind = AlignedConv2d if aligned else nn.Conv2d
            module = kind(layer.input_shape[2], layer.channels, layer.kernel_size, padding=layer.padding)
        module.weight.data = self.tensor(channels_first(arrays[f"{name}.W"], maps))
        module.bias.data = self.tensor(arrays[f"{name}.b"])
        if aligned:
            module.register_buffer("B", self.tensor(channels_first(arrays[f"{name}.B"], maps)))
        elif self.job.rule == "dfa" and site is not None:
            B = channels_first(arrays[f"{site.name}.B"].T, site.input_shape)  # (K, n)
            module.register_buffer("B", self.tensor(B))
            module.register_full_backward_hook(direct_feedback)
        self.layers[name], self.maps[name] = module, maps
        return module

    @staticmethod
    def tensor(array: np.ndarray) -> Tensor:
        """Return an array as a tensor that lies in one piece."""
        return torch.from_numpy(np.ascontiguousarray(array))

    def __call__(self) -> None:
        """Train on the next batch, or let it pass forward."""
        x, t = next(self.rotation)
        if self.job.work == "inference":
            with torch.inference_mode():
                self.net(x)
            return
        self.optimizer.zero_grad()
        logits = self.net(x)
        loss = self.loss(logits, t)
        if self.job.rule == "dfa":
            (error,) = torch.autograd.grad(loss, logits, retain_graph=True)
            for module in self.layers.values():
                module.error = error
        loss.backward()
        self.optimizer.step()

    def weights(self) -> dict[str, np.ndarray]:
        """Return copies of all weights."""
        found = {}
        for name, module in self.layers.items():
            found[f"{name}.W"] = channels_last(module.weight.detach().numpy(), self.maps[name]).copy()
            found[f"{name}.b"] = module.bias.detach().numpy().copy()
        return found


def make(job: Job, tuned: bool = False) -> Modules:
    """Make the program of a job.

    Raises
    ------
    ValueError
        For a rule that PyTorch's users have no modules for.
    """
    if job.rule not in RULES:
        raise ValueError(f"there are modules for {', '.join(RULES)} alone")
    return Modules(job, tuned)

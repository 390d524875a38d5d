"""A net for PyTorch: a module of readable Python code, and the state dict that it loads.

PyTorch's own formats for a net without its class do not last: TorchScript is deprecated, and what `torch.export` saves
may not load in a later version. A state dict does, and nothing in it is run when it is loaded; and whoever wants to
train the net further has a class to change.
"""

import pprint
from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from bdfa_np.export.inference import Inference, Step, channels_first, each

Arrays = dict[str, NDArray[Any]]


def write_state(inference: Inference, file: BinaryIO) -> None:
    """Write the state dict that the module of `code` loads, in PyTorch's names and orders.

    Parameters
    ----------
    inference : Inference
        What the net computes.
    file : binary file
        Open for writing.
    """
    import torch

    state = {f"{step.name}_{name}": array for step in inference.preprocessing for name, array in step.arrays.items()}
    for step in each(inference.layers):
        arrays = _STATES[step.kind](step.arrays) if step.kind in _STATES else {}
        state |= {f"{_attribute(step)}.{name}": array for name, array in arrays.items()}
    torch.save({name: torch.from_numpy(np.array(array, order="C")) for name, array in state.items()}, file)


def code(inference: Inference, state_name: str) -> str:
    """Return a Python module with the net as a class ``Net``, and a function ``load`` that gives it its state.

    Parameters
    ----------
    inference : Inference
        What the net computes.
    state_name : str
        The name of the file with the state, which is to lie beside the module.
    """
    layers = list(channels_first(inference.layers))
    made = [line for step in inference.preprocessing for line in _buffers(step)]
    made += [f"self.{_attribute(step)} = {_made(step)}" for step in each(layers) if step.kind in _MADE]
    forward = [_LINES[step.kind] for step in inference.preprocessing] or [_LINES["prepared"]]
    forward += _lines(layers)
    (K,) = inference.layers[-1].output_shape
    return _MODULE.format(
        version=inference.version,
        description=" ".join(inference.description.split()),
        taken="as they lie in files" if inference.input == "raw" else "prepared as for training",
        shape=", ".join(["N", *map(str, inference.input_shape)]),
        dtype=inference.dtype,
        K=K,
        class_names=pprint.pformat(inference.class_names, width=100, compact=True),
        made="\n        ".join(made),
        forward="\n        ".join(forward),
        scores_name=inference.scores_name,
        scores=_SCORES[inference.scores],
        state_name=state_name,
    )


_MODULE = '''\
# {description}; written by bdfa-np {version}.
"""A net of bdfa-np in PyTorch: its numbers lie in a file beside this one, and it needs no bdfa-np.

net = load()
logits = net(x)  # of x ({shape}), {dtype}, {taken}: (N, {K})
{scores_name} = net.{scores_name}(x)
"""

from pathlib import Path

import torch
from torch import nn

CLASS_NAMES = {class_names}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        {made}

    def forward(self, x):
        {forward}
        return x

    def {scores_name}(self, x):
        return {scores}


def load(path=Path(__file__).with_name({state_name!r})):
    """Return the net as it was trained, for use; `.train()` makes it ready to be trained further."""
    net = Net()
    net.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return net.eval()
'''


_SCORES = {"softmax": "torch.softmax(self(x), dim=1)", "sigmoid": "torch.sigmoid(self(x))", "identity": "self(x)"}


def _attribute(step: Step) -> str:
    """Return what a layer is called in the module: its path, in which Python allows no dots."""
    return step.name.replace(".", "_")


def _lines(layers: Sequence[Step]) -> Iterator[str]:
    """Yield the lines that compute layers, of ``x`` and into ``x``."""
    for step in layers:
        if step.kind == "residual":
            yield from _residual(step)
        elif step.kind == "shortcut":
            yield _pad_shortcut(step)
        elif step.kind == "globalavgpool":
            yield f"x = x.mean({'(2, 3)' if len(step.input_shape) == 3 else '1'})"
        elif step.kind == "patches":
            yield _patches(step)
        else:
            yield _LINES.get(step.kind, f"x = self.{_attribute(step)}(x)")


def _residual(step: Step) -> Iterator[str]:
    name = _attribute(step)
    yield f"{name}_input = x"
    yield from _lines(step.branch)
    if not step.shortcut:
        yield f"x = x + {name}_input"
        return
    yield f"{name}_branch, x = x, {name}_input"
    yield from _lines(step.shortcut)
    yield f"x = {name}_branch + x"


def _pad_shortcut(step: Step) -> str:
    stride, added = int(step.settings["stride"]), int(step.settings["channels"]) - step.input_shape[2]
    pads = (0, 0, 0, 0, added // 2, added - added // 2)
    return f"x = nn.functional.pad(x[:, :, ::{stride}, ::{stride}], {pads})  # more channels, of zeros"


def _patches(step: Step) -> str:
    (H, W, C), size = step.input_shape, int(step.settings["size"])
    cut = f"x.reshape(-1, {H // size}, {size}, {W // size}, {size}, {C})"
    return f"x = {cut}.transpose(2, 3).reshape(-1, {step.output_shape[0]}, {step.output_shape[1]})"


def _buffers(step: Step) -> list[str]:
    """Return the lines that make room for what preprocessing has."""
    return [
        f'self.register_buffer("{step.name}_{name}", torch.zeros({array.shape}, dtype=torch.{array.dtype}))'
        for name, array in step.arrays.items()
    ]


def _made(step: Step) -> str:
    """Return what makes a layer."""
    W = step.arrays.get("W")
    sizes = (
        {} if W is None else {"C_in": W.shape[-2], "C_out": W.shape[-1], "k": W.shape[0], "bias": "b" in step.arrays}
    )
    sizes |= {"C": step.output_shape[-1], "d": 2 if len(step.output_shape) == 3 else 1}
    return _MADE[step.kind].format(**sizes, **step.settings)


_MADE = {
    "linear": "nn.Linear({C_in}, {C_out}, bias={bias})",
    "conv": "nn.Conv2d({C_in}, {C_out}, {k}, stride={stride}, padding={padding}, bias={bias})",
    "pool": "nn.MaxPool2d({size}, {stride})",
    "avgpool": "nn.AvgPool2d({size}, {stride})",
    "batchnorm": "nn.BatchNorm{d}d({C}, eps={epsilon}, momentum={momentum})",
    "layernorm": "nn.LayerNorm({C}, eps={epsilon})",
    "tanh": "nn.Tanh()",
    "sigmoid": "nn.Sigmoid()",
    "relu": "nn.ReLU()",
    "leaky_relu": "nn.LeakyReLU({slope})",
    "gelu": "nn.GELU()",
    "dropout": "nn.Dropout({probability})",
    "flatten": "nn.Flatten()",
}
"""What makes a layer, by its settings and sizes."""

_LINES = {
    "prepared": "x = x.float()",
    "yuv": "x = sum(x[..., i : i + 1].double() * self.yuv_weights[i] for i in range(3)).float()",
    "normalization": "x = (x.float() - self.normalization_offset) / self.normalization_divisor",
    "whitening": "x = ((x.flatten(1).to(self.whitening_P.dtype) - self.whitening_mean) @ self.whitening_P)"
    ".float().reshape(x.shape)",
    "transpose": "x = x.transpose(1, 2)",
    "channels_first": "x = x.permute(0, 3, 1, 2)",
    "channels_last": "x = x.permute(0, 2, 3, 1)  # a sample is flattened in the order of height, width, channels",
}
"""What is computed where there is no layer to call."""


def _renamed(arrays: Arrays, W: NDArray[Any]) -> Arrays:
    return {"weight": W} | ({"bias": arrays["b"]} if "b" in arrays else {})


def _state_of_batchnorm(arrays: Arrays) -> Arrays:
    return {
        "weight": arrays["gamma"],
        "bias": arrays.get("beta", 0 * arrays["gamma"]),
        "running_mean": arrays["running_mean"],
        "running_var": arrays["running_variance"],
        "num_batches_tracked": np.array(0),
    }


_STATES: dict[str, Callable[[Arrays], Arrays]] = {
    "linear": lambda arrays: _renamed(arrays, arrays["W"].T),
    "conv": lambda arrays: _renamed(arrays, arrays["W"].transpose(3, 2, 0, 1)),
    "batchnorm": _state_of_batchnorm,
    "layernorm": lambda arrays: {"weight": arrays["gamma"], "bias": arrays["beta"]},
}
"""A layer's parameters and statistics, as PyTorch has them."""

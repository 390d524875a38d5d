"""bdfa-np: learning with feedback alignment, from scratch, on NumPy.

The public names below are imported when first used, so that ``import bdfa_np`` and the command line stay quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bdfa_np.backend import make_backend
    from bdfa_np.data import load_dataset
    from bdfa_np.layers import (
        BatchNorm,
        Conv2d,
        Dropout,
        ErrorFeedback,
        Flatten,
        Layer,
        Linear,
        MaxPool2d,
        ReLU,
        Sigmoid,
        Tanh,
    )
    from bdfa_np.losses import BinaryCrossEntropy, CrossEntropy
    from bdfa_np.metrics import ConfusionMatrix, alignment_angle
    from bdfa_np.model import Model, build_model, load_run
    from bdfa_np.network import Sequential
    from bdfa_np.optim import ASGD, NAG, SGD, Adadelta, Adagrad, Adam, Adamax, RMSprop, Rprop
    from bdfa_np.options.config import Config
    from bdfa_np.rules import BDFA, BFA, BP, DFA, FA
    from bdfa_np.trainer import Trainer

_HOMES = {
    "backend": ("make_backend",),
    "model": ("Model", "build_model", "load_run"),
    "options.config": ("Config",),
    "data": ("load_dataset",),
    "layers": (
        "BatchNorm",
        "Conv2d",
        "Dropout",
        "ErrorFeedback",
        "Flatten",
        "Layer",
        "Linear",
        "MaxPool2d",
        "ReLU",
        "Sigmoid",
        "Tanh",
    ),
    "losses": ("BinaryCrossEntropy", "CrossEntropy"),
    "metrics": ("ConfusionMatrix", "alignment_angle"),
    "network": ("Sequential",),
    "optim": ("ASGD", "NAG", "SGD", "Adadelta", "Adagrad", "Adam", "Adamax", "RMSprop", "Rprop"),
    "rules": ("BDFA", "BFA", "BP", "DFA", "FA"),
    "trainer": ("Trainer",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__version__ = "0.1.0"

__all__ = [
    "ASGD",
    "BDFA",
    "BFA",
    "BP",
    "DFA",
    "FA",
    "NAG",
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "Adamax",
    "BatchNorm",
    "BinaryCrossEntropy",
    "Config",
    "ConfusionMatrix",
    "Conv2d",
    "CrossEntropy",
    "Dropout",
    "ErrorFeedback",
    "Flatten",
    "Layer",
    "Linear",
    "MaxPool2d",
    "Model",
    "RMSprop",
    "ReLU",
    "Rprop",
    "Sequential",
    "Sigmoid",
    "Tanh",
    "Trainer",
    "alignment_angle",
    "build_model",
    "load_dataset",
    "load_run",
    "make_backend",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'bdfa_np' has no attribute {name!r}")
    value = getattr(import_module(f"bdfa_np.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME_OF])

"""Optimizers: a few lines each over flat vectors, by the formulas of Torch7's package ``optim``; AdamW by PyTorch's.

What an optimizer does to one parameter is written once, as its `update`; the backend applies it to whole vectors.
"""

from bdfa_np.optim.adaptive import Adadelta, Adagrad, Adam, Adamax, AdamW, RMSprop
from bdfa_np.optim.base import Optimizer
from bdfa_np.optim.gradient_descent import ASGD, NAG, SGD
from bdfa_np.optim.rprop import Rprop

OPTIMIZERS: dict[str, type[Optimizer]] = {
    kind.name: kind for kind in (SGD, NAG, RMSprop, Adam, AdamW, Adamax, Adagrad, Adadelta, ASGD, Rprop)
}
"""By the names that ``--optimization`` takes."""

NOT_CARRIED_OVER = ("cg", "lbfgs", "fista", "cmaes", "de")
"""What Torch7's ``optim`` also has and this package has not: they evaluate a loss several times a step."""

__all__ = [
    "ASGD",
    "NAG",
    "NOT_CARRIED_OVER",
    "OPTIMIZERS",
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Optimizer",
    "RMSprop",
    "Rprop",
]

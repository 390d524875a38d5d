"""Every formula that becomes a kernel on CUDA, beside the same formula for NumPy, with constants as in training."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bdfa_np.backend.base import Formula
from bdfa_np.backend.cpu.backend import NumpyBackend
from bdfa_np.backend.cuda import backend
from bdfa_np.backend.cuda.formula import Maths, kernel_source
from bdfa_np.layers import ReLU, Sigmoid, Tanh
from bdfa_np.layers.base import ParameterSpec
from bdfa_np.losses import BinaryCrossEntropy, CrossEntropy
from bdfa_np.optim import OPTIMIZERS
from bdfa_np.optim.base import decayed
from bdfa_np.optim.gradient_descent import ahead, descend, shrink_and_descend
from bdfa_np.parameters import ParameterVector
from bdfa_np.rules.direct import bdfa
from bdfa_np.trainer import moved_by_sign


@dataclass(frozen=True)
class FormulaCase:
    """A formula as a backend is given it.

    Attributes
    ----------
    make : callable
        From the functions that it may use to the formula.
    given, out : tuple of int
        The places of the arrays.
    constants : tuple of float
        What follows them.
    exact : bool
        Whether it consists of operations that IEEE 754 rounds correctly, so that every machine gives the same bits.
    """

    make: Callable[[Any], Formula]
    given: tuple[int, ...]
    out: tuple[int, ...]
    constants: tuple[float, ...]
    exact: bool = True

    def source(self, dtype: str) -> str:
        """Return its CUDA source."""
        return kernel_source(self.make(Maths), self.given, self.out, len(self.constants), dtype)


def plain(formula: Formula) -> Callable[[Any], Formula]:
    """Return a formula that uses no function, as one that is given them."""
    return lambda maths: formula


def update(name: str) -> FormulaCase:
    """Return an optimizer's update, with the constants of its fourth step."""
    vector = ParameterVector({"W": ParameterSpec((3,))}, NumpyBackend("float64"), trained=True)
    options = {"momentum": 0.9} if "momentum" in OPTIMIZERS[name].options else {}
    optimizer = OPTIMIZERS[name]([vector], 0.01, **options)
    optimizer.steps = 3
    places = tuple(range(len(optimizer.state_names) + 1))
    return FormulaCase(optimizer.formula, (*places, len(places)), places, optimizer.constants())


def with_numpy(formula: Formula, numpy_formula: Formula) -> Callable[[Any], Formula]:
    """Return a formula of the CUDA backend's own, and what NumPy's computes in its place."""
    return lambda maths: formula if maths is Maths else numpy_formula


def numpy_sigmoid(a, one, half):
    return ((np.tanh(half * a) + one) * half,)


FORMULAS = {name: update(name) for name in OPTIMIZERS} | {
    "descend": FormulaCase(plain(descend), (0, 1), (0,), (0.01,)),
    "ahead": FormulaCase(plain(ahead), (0, 1), (0,), (0.9,)),
    "decayed": FormulaCase(plain(decayed), (0, 1), (0,), (0.1,)),
    "shrink and descend": FormulaCase(plain(shrink_and_descend), (0, 1, 2), (0, 1), (0.01, 0.999, 1.0)),
    "tanh": FormulaCase(with_numpy(backend.tanh, lambda a: (np.tanh(a),)), (0,), (1,), (), exact=False),
    "sigmoid": FormulaCase(with_numpy(backend.sigmoid, numpy_sigmoid), (0,), (1,), (1.0, 0.5), exact=False),
    "slope of tanh": FormulaCase(plain(Tanh.through_slope), (0, 1), (2,), (1.0,)),
    "slope of sigmoid": FormulaCase(plain(Sigmoid.through_slope), (0, 1), (2,), (1.0,)),
    "relu": FormulaCase(ReLU.rectified, (0,), (1,), (0.0,)),
    "slope of relu": FormulaCase(plain(ReLU.through_slope), (0, 1), (2,), (0.0,)),
    "bce": FormulaCase(BinaryCrossEntropy.formula, (0, 1), (2, 3, 4), (1.0, 0.0, 0.1), exact=False),
    "ce": FormulaCase(CrossEntropy.formula, (0, 1), (2, 3, 4), (64.0,), exact=False),
    "target torch": FormulaCase(plain(bdfa.replaced_at_label), (0, 1), (2,), (0.25, 1.0)),
    "target mixed": FormulaCase(plain(bdfa.with_share), (0, 1), (2,), (0.25,)),
    "target centred": FormulaCase(plain(bdfa.less_mean), (0,), (1,), (0.1,)),
    "adversarial": FormulaCase(moved_by_sign, (0, 1), (2,), (0.08,)),
}
"""By what they compute."""

"""Every formula that becomes a kernel on CUDA, with constants as in training."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bdfa_np.backend.cpu.backend import NumpyBackend
from bdfa_np.backend.cuda.formula import kernel_source
from bdfa_np.backend.formula import Formula
from bdfa_np.layers import GELU, LeakyReLU, ReLU, Sigmoid, Tanh, batchnorm
from bdfa_np.layers.base import ParameterSpec
from bdfa_np.layers.residual import added
from bdfa_np.losses import BinaryCrossEntropy, CrossEntropy, MeanSquaredError
from bdfa_np.optim import OPTIMIZERS
from bdfa_np.optim.base import decayed
from bdfa_np.optim.gradient_descent import ahead, descend, shrink_and_descend
from bdfa_np.parameters import ParameterVector
from bdfa_np.rules import targets
from bdfa_np.rules.direct import bdfa, feedback
from bdfa_np.rules.layerwise import brsf, wm
from bdfa_np.rules.signs import scaled_sign
from bdfa_np.trainer import moved_by_sign


@dataclass(frozen=True)
class FormulaCase:
    """A formula as a backend is given it.

    Attributes
    ----------
    formula : callable
        The formula.
    given, out : tuple of int
        The places of the arrays.
    constants : dict of str to float
        Its constants.
    exact : bool
        Whether it consists of operations that IEEE 754 rounds correctly, so that every machine gives the same bits.
    """

    formula: Formula
    given: tuple[int, ...]
    out: tuple[int, ...]
    constants: Mapping[str, float] = field(default_factory=dict)
    exact: bool = True

    def source(self, dtype: str) -> str:
        """Return its CUDA source."""
        return kernel_source(self.formula, self.given, self.out, dtype)


def update(name: str) -> FormulaCase:
    """Return an optimizer's update, with the constants of a step of its own formula."""
    vector = ParameterVector({"W": ParameterSpec((3,))}, NumpyBackend("float64"), trained=True)
    options = {"momentum": 0.9} if "momentum" in OPTIMIZERS[name].options else {}
    optimizer = OPTIMIZERS[name]([vector], 0.01, **options)
    optimizer.steps = 1_000_003 if name == "asgd" else 3  # which averages from its millionth step on
    places = tuple(range(len(optimizer.state_names) + 1))
    return FormulaCase(optimizer.update, (*places, len(places)), places, optimizer.constants())


FORMULAS = {name: update(name) for name in OPTIMIZERS} | {
    "descend": FormulaCase(descend, (0, 1), (0,), {"rate": 0.01}),
    "ahead": FormulaCase(ahead, (0, 1), (0,), {"momentum": 0.9}),
    "decayed": FormulaCase(decayed, (0, 1), (0,), {"weight_decay": 0.1}),
    "shrink and descend": FormulaCase(shrink_and_descend, (0, 1, 2), (0, 1), {"rate": 0.01, "keep": 0.999}),
    "tanh": FormulaCase(Tanh.activated, (0,), (1,), exact=False),
    "sigmoid": FormulaCase(Sigmoid.activated, (0,), (1,), exact=False),
    "slope of tanh": FormulaCase(Tanh.through_slope, (0, 1), (2,)),
    "slope of sigmoid": FormulaCase(Sigmoid.through_slope, (0, 1), (2,)),
    "relu": FormulaCase(ReLU.activated, (0,), (1,)),
    "tanh in place": FormulaCase(Tanh.activated, (0,), (0,), exact=False),
    "sigmoid in place": FormulaCase(Sigmoid.activated, (0,), (0,), exact=False),
    "relu in place": FormulaCase(ReLU.activated, (0,), (0,)),
    "slope of tanh in place": FormulaCase(Tanh.through_slope, (0, 1), (0,)),
    "slope of sigmoid in place": FormulaCase(Sigmoid.through_slope, (0, 1), (0,)),
    "slope of relu in place": FormulaCase(ReLU.through_slope, (0, 1), (0,)),
    "slope of relu": FormulaCase(ReLU.through_slope, (0, 1), (2,)),
    "leaky relu": FormulaCase(LeakyReLU.activated, (0,), (1,), {"slope": 0.01}),
    "slope of leaky relu": FormulaCase(LeakyReLU.through_slope, (0, 1), (2,), {"slope": 0.01}),
    "leaky relu in place": FormulaCase(LeakyReLU.activated, (0,), (0,), {"slope": 0.01}),
    "slope of leaky relu in place": FormulaCase(LeakyReLU.through_slope, (0, 1), (0,), {"slope": 0.01}),
    "gelu in place": FormulaCase(GELU.activated, (0,), (0, 1), exact=False),
    "slope of gelu in place": FormulaCase(GELU.through_slope, (0, 1), (0,)),
    "gelu": FormulaCase(GELU.activated, (0,), (1, 2), exact=False),
    "slope of gelu": FormulaCase(GELU.through_slope, (0, 1), (2,)),
    "bce": FormulaCase(BinaryCrossEntropy.bce, (0, 1), (2, 3, 4), {"share": 0.1}, exact=False),
    "ce": FormulaCase(CrossEntropy.ce, (0, 1), (2, 3, 4), {"batch_size": 64.0}, exact=False),
    "mse": FormulaCase(MeanSquaredError.mse, (0, 1), (2, 3), {"batch_size": 64.0, "share": 0.1}),
    "target torch": FormulaCase(bdfa.replaced_at_label, (0, 1), (2,), {"scale": 0.25}),
    "target mixed": FormulaCase(targets.with_share, (0, 1), (2,), {"alpha": 0.25}),
    "target centred": FormulaCase(targets.less_mean, (0,), (1,), {"mean": 0.1}),
    "miss": FormulaCase(bdfa.miss_of, (0,), (1,), exact=False),
    "batch norm": FormulaCase(
        batchnorm.with_averages,
        (0, 1, 2, 3, 4),
        (2, 3, 5, 6),
        {"momentum": 0.1, "unbiased": 64 / 63, "epsilon": 1e-5},
    ),
    "gradient of batch norm": FormulaCase(batchnorm.shares, (0, 1, 2), (3, 4), {"rows": 64.0}),
    "added": FormulaCase(added, (0, 1), (0,)),
    "brsf": FormulaCase(brsf.with_sign, (0, 1), (0,)),
    "frsf": FormulaCase(brsf.with_sign, (0, 1), (2,)),
    "scaled sign": FormulaCase(scaled_sign, (0,), (1,), {"scale": 0.25}),
    "wm": FormulaCase(wm.mirrored, (0, 1), (0,), {"rate": 0.01, "keep": 0.999}),
    "kept": FormulaCase(feedback.where_kept, (0, 1), (0,)),
    "adversarial": FormulaCase(moved_by_sign, (0, 1), (2,), {"eps": 0.08}),
}
"""By what they compute."""

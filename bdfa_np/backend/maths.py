"""The functions that a formula may use: NumPy's and SciPy's, by their names, once one of them is asked for.

``from bdfa_np.backend import maths``, and then ``maths.sqrt(v)``: modules that hold formulas are imported by
``bdfa --help``, which must not wait for NumPy.
SciPy takes longer still, and only ``erf`` needs it.
"""

from importlib import import_module
from typing import Any

FUNCTIONS = frozenset({"abs", "erf", "exp", "log1p", "maximum", "minimum", "sign", "sqrt", "tanh", "where"})
"""Their names; `bdfa_np.backend.symbols` knows how each is written."""


def __getattr__(name: str) -> Any:
    if name not in FUNCTIONS:
        raise AttributeError(f"a formula may use no function {name!r}: only {', '.join(sorted(FUNCTIONS))}")
    function = globals()[name] = getattr(import_module("scipy.special" if name == "erf" else "numpy"), name)
    return function

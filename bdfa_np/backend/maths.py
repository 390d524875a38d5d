"""The functions that a formula may use: NumPy's, by NumPy's names, once one of them is asked for.

``from bdfa_np.backend import maths``, and then ``maths.sqrt(v)``: modules that hold formulas are imported by
``bdfa --help``, which must not wait for NumPy.
The only one that NumPy has not is ``erf``.
"""

from importlib import import_module
from typing import Any

FUNCTIONS = frozenset({"abs", "erf", "exp", "log1p", "maximum", "minimum", "sign", "sqrt", "tanh", "where"})
"""Their names; `bdfa_np.backend.symbols` knows how each is written."""

ELSEWHERE = {"erf": "bdfa_np.backend.cpu.error_function"}
"""The modules of those that are not NumPy's."""


def __getattr__(name: str) -> Any:
    if name not in FUNCTIONS:
        raise AttributeError(f"a formula may use no function {name!r}: only {', '.join(sorted(FUNCTIONS))}")
    function = globals()[name] = getattr(import_module(ELSEWHERE.get(name, "numpy")), name)
    return function

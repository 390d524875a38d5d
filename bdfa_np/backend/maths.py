"""The functions that a formula may use: NumPy's, by NumPy's names, once one of them is asked for.

``from bdfa_np.backend import maths``, and then ``maths.sqrt(v)``: modules that hold formulas are imported by
``bdfa --help``, which must not wait for NumPy.
"""

from typing import Any

FUNCTIONS = frozenset({"abs", "exp", "log1p", "maximum", "minimum", "sign", "sqrt", "tanh", "where"})
"""Their names; `bdfa_np.backend.symbols` knows how each is written."""


def __getattr__(name: str) -> Any:
    if name not in FUNCTIONS:
        raise AttributeError(f"a formula may use no function {name!r}: only {', '.join(sorted(FUNCTIONS))}")
    import numpy

    function = globals()[name] = getattr(numpy, name)
    return function

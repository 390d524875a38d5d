"""Formulas as CUDA kernels: a `Formula` is called once with symbols, and what it does to them is written down as C.

NumPy runs the very same function object over arrays, so there is one formula and no second version of it to keep.
"""

from collections.abc import Sequence
from typing import Any

from bdfa_np.backend.base import Formula

REALS = {"float32": "float", "float64": "double"}
"""The C types of a backend's precisions."""

PRELUDE = """\
typedef {real} Real;
typedef long long Index;

// As NumPy's: what is not a number is handed on.
__device__ Real maximum(Real a, Real b) {{ return a > b || a != a ? a : b; }}
__device__ Real minimum(Real a, Real b) {{ return a < b || a != a ? a : b; }}
__device__ Real sign(Real a) {{ return a != a ? a : (Real)((a > 0) - (a < 0)); }}

// Each thread takes as many entries as there are for it.
#define FOR_EACH(whole, i, n) \\
    for (whole i = blockIdx.x * (whole)blockDim.x + threadIdx.x; i < (n); i += gridDim.x * (whole)blockDim.x)
"""
"""What every module of kernels begins with; it includes no header, so that only the compiler itself is needed."""


class Symbol:
    """A number in a formula: the name of a C variable.

    Parameters
    ----------
    lines : list of str
        The C statements so far; every operation adds one.
    name : str
        The variable.
    """

    def __init__(self, lines: list[str], name: str) -> None:
        self.lines = lines
        self.name = name

    def __add__(self, other: "Symbol") -> "Symbol":
        return combined("{} + {}", self, other)

    def __sub__(self, other: "Symbol") -> "Symbol":
        return combined("{} - {}", self, other)

    def __mul__(self, other: "Symbol") -> "Symbol":
        return combined("{} * {}", self, other)

    def __truediv__(self, other: "Symbol") -> "Symbol":
        return combined("{} / {}", self, other)

    def __neg__(self) -> "Symbol":
        return combined("-{}", self)

    def __gt__(self, other: "Symbol") -> "Symbol":
        return combined("{} > {}", self, other)

    def __ge__(self, other: "Symbol") -> "Symbol":
        return combined("{} >= {}", self, other)

    def __bool__(self) -> bool:
        raise TypeError("a formula must not branch: use where, maximum or minimum")


def combined(text: str, *symbols: Symbol) -> Symbol:
    """Write down an operation on symbols, and return the symbol of its result.

    Raises
    ------
    TypeError
        If one of them is a plain number: the numbers of a formula are its constants.
    """
    for symbol in symbols:
        if not isinstance(symbol, Symbol):
            raise TypeError(f"{symbol!r} in a formula: its numbers must be its constants")
    lines = symbols[0].lines
    result = Symbol(lines, f"t{len(lines)}")
    lines.append(f"const Real {result.name} = {text.format(*(symbol.name for symbol in symbols))};")
    return result


class Maths:
    """The functions that a formula may use, by NumPy's names."""

    @staticmethod
    def sqrt(a: Symbol) -> Symbol:
        """Return ``√a``."""
        return combined("sqrt({})", a)

    @staticmethod
    def exp(a: Symbol) -> Symbol:
        """Return ``e`` to the power of ``a``."""
        return combined("exp({})", a)

    @staticmethod
    def log1p(a: Symbol) -> Symbol:
        """Return ``log(1 + a)``."""
        return combined("log1p({})", a)

    @staticmethod
    def tanh(a: Symbol) -> Symbol:
        """Return the hyperbolic tangent."""
        return combined("tanh({})", a)

    @staticmethod
    def abs(a: Symbol) -> Symbol:
        """Return ``|a|``."""
        return combined("fabs({})", a)

    @staticmethod
    def sign(a: Symbol) -> Symbol:
        """Return -1, 0 or 1."""
        return combined("sign({})", a)

    @staticmethod
    def maximum(a: Symbol, b: Symbol) -> Symbol:
        """Return the larger of two."""
        return combined("maximum({}, {})", a, b)

    @staticmethod
    def minimum(a: Symbol, b: Symbol) -> Symbol:
        """Return the smaller of two."""
        return combined("minimum({}, {})", a, b)

    @staticmethod
    def where(condition: Symbol, a: Symbol, b: Symbol) -> Symbol:
        """Return ``a`` where the condition holds, else ``b``."""
        return combined("{} != 0 ? {} : {}", condition, a, b)


def kernel_source(formula: Formula, given: Sequence[int], out: Sequence[int], constants: int, dtype: str) -> str:
    """Return a CUDA module with a kernel ``elementwise`` that evaluates a formula.

    The kernel takes the arrays, each once, then the constants, then the number of entries.

    Parameters
    ----------
    formula : callable
        The formula, made with `Maths`.
    given, out : sequence of int
        The place of each array among the kernel's arguments; one that is both given and written to has one place.
    constants : int
        How many constants the formula takes.
    dtype : {"float32", "float64"}
        The precision of arrays and constants.

    Returns
    -------
    str
        CUDA C++.

    Raises
    ------
    TypeError
        If the formula branches, or uses a number that is none of its constants.
    """
    lines: list[str] = []
    arrays = range(1 + max([*given, *out]))
    entries = [Symbol(lines, f"x{place}") for place in given]
    results = formula(*entries, *(Symbol(lines, f"c{i}") for i in range(constants)))
    arguments = [f"{'' if place in out else 'const '}Real* __restrict__ a{place}" for place in arrays]
    arguments += [f"Real c{i}" for i in range(constants)] + ["Index size"]
    body = [f"const Real x{place} = a{place}[i];" for place in dict.fromkeys(given)] + lines
    body += [f"a{place}[i] = {name_of(result)};" for place, result in zip(out, results, strict=True)]
    statements = "\n        ".join(body)
    return (
        f"{PRELUDE.format(real=REALS[dtype])}\n"
        f'extern "C" __global__ void elementwise({", ".join(arguments)}) {{\n'
        f"    FOR_EACH(Index, i, size) {{\n        {statements}\n    }}\n}}\n"
    )


def name_of(result: Any) -> str:
    """Return the variable of a formula's result."""
    if not isinstance(result, Symbol):
        raise TypeError(f"{result!r} in a formula: its numbers must be its constants")
    return result.name

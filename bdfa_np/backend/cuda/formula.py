"""Formulas as CUDA kernels: the statements of a `Formula`, as C, for every entry of its arrays."""

from collections.abc import Sequence

from bdfa_np.backend.formula import Formula, constants
from bdfa_np.backend.symbols import written

REALS = {"float32": "float", "float64": "double"}
"""The C types of a backend's precisions."""

PRELUDE = """\
typedef {real} Real;
typedef long long Index;

// As NumPy's: what is not a number is handed on.
__device__ Real maximum(Real a, Real b) {{ return a > b || a != a ? a : b; }}
__device__ Real minimum(Real a, Real b) {{ return a < b || a != a ? a : b; }}
__device__ Real sign(Real a) {{ return a != a ? a : (Real)((a > 0) - (a < 0)); }}
__device__ Real where(Real condition, Real a, Real b) {{ return condition != 0 ? a : b; }}

// Each thread takes as many entries as there are for it.
#define FOR_EACH(whole, i, n) \\
    for (whole i = blockIdx.x * (whole)blockDim.x + threadIdx.x; i < (n); i += gridDim.x * (whole)blockDim.x)
"""
"""What every module of kernels begins with; it includes no header, so that only the compiler itself is needed."""


def kernel_source(formula: Formula, given: Sequence[int], out: Sequence[int], dtype: str) -> str:
    """Return a CUDA module with a kernel ``elementwise`` that evaluates a formula.

    The kernel takes the arrays, each once, then the constants, then the number of entries.

    Parameters
    ----------
    formula : callable
        The formula.
    given, out : sequence of int
        The place of each array among the kernel's arguments; one that is both given and written to has one place.
    dtype : {"float32", "float64"}
        The precision of arrays and constants.

    Returns
    -------
    str
        CUDA C++.

    Raises
    ------
    TypeError
        If the formula is none: see `written`.
    """
    text = written(formula, given)
    arrays = range(1 + max([*given, *out]))
    arguments = [f"{'' if place in out else 'const '}Real* __restrict__ a{place}" for place in arrays]
    arguments += [f"Real c{i}" for i in range(len(constants(formula)))] + ["Index size"]
    body = [f"const Real x{place} = a{place}[i];" for place in dict.fromkeys(given)]
    body += [f"const Real {statement};" for statement in text.statements]
    body += [f"a{place}[i] = {result};" for place, result in zip(out, text.results, strict=True)]
    statements = "\n        ".join(body)
    return (
        f"{PRELUDE.format(real=REALS[dtype])}\n"
        f'extern "C" __global__ void elementwise({", ".join(arguments)}) {{\n'
        f"    FOR_EACH(Index, i, size) {{\n        {statements}\n    }}\n}}\n"
    )

"""The error function, ``erf(x) = 2/√π ∫₀ˣ exp(-t²) dt``, which NumPy has not."""

from typing import Any

import numpy as np

from bdfa_np.backend.cpu.compiling import compile_loop, worth_compiling

NUMERATOR = (
    *(0.00022905065861350646, 0.0034082910107109506, 0.050955695062380861, 0.18520832239976145),
    1.128379143519084,
)
DENOMINATOR = (
    *(-1.1791602954361697e-7, 0.000023547966471313185, 0.0010179625278914885, 0.014070470171167667),
    *(0.11098505178285362, 0.49746925110067538, 1.0),
)
"""Coefficients of x² in a rational approximation of ``erf(x)/x``, from the highest power on (Eigen's, and XLA's)."""
LIMIT = 3.832506856900711
"""From here on ``erf`` is 1 in float32."""
P, Q = (tuple(map(np.float32, numbers)) for numbers in (NUMERATOR, DENOMINATOR))
FLOAT32_LIMIT, ONE = np.float32(LIMIT), np.float32(1)


def erf(x: Any) -> Any:
    """Return ``erf(x)`` entry by entry, or for a symbol in a formula.

    In float64 it is SciPy's; in float32 what is off by 4e-7, and takes a third of SciPy's time or, compiled, a
    thirtieth, with the same bits.
    """
    if not isinstance(x, np.ndarray):
        return x.apply(erf)
    if x.dtype != np.float32:
        from scipy.special import erf as of_scipy  # which takes half a second to import

        return of_scipy(x)
    out = np.empty(x.shape, x.dtype)
    if worth_compiling(rational):
        compile_loop(rational)(x.reshape(-1), P, Q, FLOAT32_LIMIT, ONE, out.reshape(-1))
        return out
    x = np.minimum(np.maximum(x, -FLOAT32_LIMIT), FLOAT32_LIMIT)
    squares = x * x
    np.multiply(polynomial(P, squares), x, out=out)
    out /= polynomial(Q, squares)
    return np.minimum(np.maximum(out, -ONE, out=out), ONE, out=out)


def polynomial(coefficients: tuple[Any, ...], x: Any) -> Any:
    """Evaluate a polynomial by Horner's rule, from the highest power on."""
    value = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        value *= x
        value += coefficient
    return value


def rational(x: Any, P: Any, Q: Any, limit: Any, one: Any, out: Any) -> None:
    """Evaluate the approximation, to be compiled."""
    for i in range(x.size):
        entry = np.minimum(np.maximum(x[i], -limit), limit)
        square = entry * entry
        numerator = (((P[0] * square + P[1]) * square + P[2]) * square + P[3]) * square + P[4]
        low = ((Q[0] * square + Q[1]) * square + Q[2]) * square + Q[3]
        denominator = ((low * square + Q[4]) * square + Q[5]) * square + Q[6]
        out[i] = np.minimum(np.maximum(numerator * entry / denominator, -one), one)

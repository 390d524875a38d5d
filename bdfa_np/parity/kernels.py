"""Whether each kernel of a backend computes what another's does: odd sizes, ties, and what is no number.

A probe asks one kernel of a backend for a few results. `compare_kernels` runs every probe on two backends.
"""

from collections.abc import Callable, Iterator

import numpy as np

import bdfa_np.trainer  # noqa: F401 - with it comes every module that has formulas
from bdfa_np.backend.base import Array, Backend, Batch
from bdfa_np.backend.formula import FORMULAS, Formula, constants, entries
from bdfa_np.backend.symbols import written
from bdfa_np.parity.differences import Difference, difference, failure
from bdfa_np.parity.draws import DRAW_PROBES
from bdfa_np.parity.images import IMAGE_PROBES, Results, normal
from bdfa_np.parity.normalisation import NORMALISATION_PROBES

TOLERANCES = {"float64": 1e-10, "float32": 2e-5}
"""Rounding leaves 1e-15 and 1e-6 of sums as short as the probes'."""
ROWS = 300
"""More than a block of CUDA's has threads."""


def edges(dtype: str, count: int) -> list[Array]:
    """Return arrays in which every pair of remarkable numbers meets: zeros, infinities, NaN, huge and tiny ones.

    The square of a huge one is finite: CUDA multiplies and adds in one operation, in which no product is infinite.
    Denormals are among the tiny ones of float64 alone: CuPy compiles every kernel so that those of float32 are 0.
    """
    limits = np.finfo(dtype)
    tiny = [float(limits.tiny), float(limits.smallest_subnormal)] if dtype == "float64" else [1e-30]
    some = [0.0, 1.0, 1.5, 1e-3, 20.0, 1e4, np.inf, float(limits.max) ** 0.5 / 2, *tiny]
    values = np.array([*some, *(-value for value in some), np.nan], dtype)
    pairs = np.repeat(values, len(values)), np.tile(values, len(values))
    return [np.roll(pairs[i % 2], len(values) * (i // 2)) for i in range(count)]


# The probes, each named as the kernel it asks


def matmul(backend: Backend) -> Results:
    """Multiply matrices and their transposes."""
    found = {}
    for m, k, n in ((1, 1, 1), (7, 5, 1), (1, 6, 3), (33, 17, 9)):
        a, b = backend.asarray(normal((m, k))), backend.asarray(normal((k, n)))
        a_turned, b_turned = backend.asarray(normal((k, m), 1)).T, backend.asarray(normal((n, k), 1)).T
        for title, left, right in (
            ("ab", a, b),
            ("aᵀb", a_turned, b),
            ("abᵀ", a, b_turned),
            ("aᵀbᵀ", a_turned, b_turned),
        ):
            found[f"{title} {m}x{k}x{n}"] = backend.matmul(left, right, backend.asarray(np.full((m, n), np.nan)))
            added = backend.matmul(left, right, backend.asarray(normal((m, n), 2)), accumulate=True)
            found[f"{title} {m}x{k}x{n} added"] = added
    return found


def column_sum(backend: Backend) -> Results:
    """Sum over rows."""
    a = backend.asarray(normal((ROWS, 9)))
    return {
        "written": backend.column_sum(a, backend.asarray(np.full(9, np.nan))),
        "added": backend.column_sum(a[:70], backend.asarray(normal((9,))), accumulate=True),
    }


def add_bias(backend: Backend) -> Results:
    """Add to rows and to images."""
    b = backend.asarray(normal((5,)))
    shapes = ((ROWS, 5), (3, 4, 7, 5))
    return {str(shape): backend.add_bias(backend.asarray(normal(shape)), b) for shape in shapes}


def one_hot(backend: Backend) -> Results:
    """Make targets."""
    labels = np.random.default_rng(0).integers(0, 7, ROWS)
    return {"targets": backend.one_hot(backend.asarray(labels), 7)}


def log_softmax(backend: Backend) -> Results:
    """Take logits that are equal, as usual, and so large that their exponentials are not finite."""
    found = {
        str(scale): backend.log_softmax(backend.asarray(normal((ROWS, 10)) * scale)) for scale in (0, 1, 1e4, 1e30)
    }
    return found | {"one class": backend.log_softmax(backend.asarray(normal((3, 1))))}


def tally(backend: Backend) -> Results:
    """Count ties, logits that are no number, and batches whose loss is none."""
    nan, inf = np.nan, np.inf
    logits = np.array(
        [[1.0, 2, 2], [3, 3, 3], [0, nan, 5], [nan, nan, 1], [inf, 1, inf], [-1, -2, -1], [-inf, -inf, -3]]
    )
    labels = np.array([0, 1, 2, 0, 1, 2, 0])
    counts, sums = backend.xp.zeros((3, 3), "int64"), backend.xp.zeros(4, "float64")
    found: Results = {}
    given = backend.asarray(logits), backend.asarray(labels)
    with backend.non_finite_allowed():
        for batch, bad in enumerate((0.5, inf, nan, 0.25), start=1):
            terms = normal((7, 3), batch)
            terms[1, 2] = bad
            backend.tally(*given, backend.asarray(terms), counts, sums)
            found |= {f"counts of {batch} batches": counts.copy(), f"sums of {batch} batches": sums.copy()}
    many, sums = backend.xp.zeros((11, 11), "int64"), backend.xp.zeros(4, "float64")
    rows, of_rows = normal((ROWS, 11)), np.random.default_rng(1).integers(0, 11, ROWS)
    backend.tally(backend.asarray(rows), backend.asarray(of_rows), backend.asarray(rows), many, sums)
    return found | {"counts of many rows": many, "sums of many rows": sums}


def row_dots(backend: Backend) -> Results:
    """Multiply rows of any length."""
    found = {}
    for n in (1, 255, 257):
        a, b = backend.asarray(normal((5, n))), backend.asarray(normal((5, n), 1))
        found[f"{n} entries"] = backend.row_dots(a, b, backend.asarray(np.full(5, np.nan)))
    return found


def limit_norms(backend: Backend) -> Results:
    """Bound the vectors that a maximum norm bounds, half of which are too long."""
    found = {}
    for shape, axes in (((ROWS, 7), (0,)), ((7, ROWS), (1,)), ((3, 3, 5, 4), (0, 1, 2)), ((3, 3, 5, 4), (0, 1, 3))):
        drawn = normal(shape)
        W, bound = backend.asarray(drawn), float(np.median(np.sqrt((drawn**2).sum(axis=axes))))
        backend.limit_norms(W, axes, bound)
        found[f"{shape} along {axes}"] = W
    return found


def clip_norm(backend: Backend) -> Results:
    """Clip vectors of few entries and of many: of a norm that is too large, one that is not, and of huge entries."""
    found: Results = {}
    for size in (5, 257, 70_001):
        for title, scale in (("long", 1.0), ("short", 1e-3), ("huge", 1e30)):
            first, second = (backend.asarray(scale * normal((size,), seed)) for seed in (1, 2))
            backend.clip_norm([first, second], 0.5 * size**0.5)
            found |= {f"{title}, {size} entries": first, f"what follows it, {title}, {size} entries": second}
    spoiled = normal((300,))
    spoiled[7] = np.nan
    vector = backend.asarray(spoiled)
    backend.clip_norm([vector], 1.0)
    return found | {"no number": vector}


def feed(backend: Backend) -> Results:
    """Hand on batches whose memory the host overwrites as soon as it may."""
    x, labels = np.empty((6, 5)), np.empty(6, np.int64)

    def batches() -> Iterator[Batch]:
        for step in range(7):
            size = 4 if step == 4 else 6
            x[...], labels[...] = normal((6, 5), step), step
            yield x[:size], labels[:size]

    found: Results = {}
    for step, (given, marks) in enumerate(backend.feed(batches())):
        found |= {f"batch {step}": backend.asarray(given).copy(), f"labels {step}": backend.asarray(marks).copy()}
    return found


Probe = Callable[[Backend], Results]
PROBES: tuple[Probe, ...] = (
    matmul,
    column_sum,
    add_bias,
    *NORMALISATION_PROBES,
    one_hot,
    log_softmax,
    tally,
    row_dots,
    limit_norms,
    clip_norm,
    *DRAW_PROBES,
    feed,
    *IMAGE_PROBES,
)


def evaluate(formula: Formula, backend: Backend) -> list[Array]:
    """Return what the backend makes of a formula of remarkable numbers and of usual ones, on the host.

    Its constants are so far apart, and below 1, that no sum with products of them is infinite or nearly 0 by chance.
    """
    numbers = {name: 0.3**place for place, name in enumerate(constants(formula), start=1)}
    given = [backend.asarray(array) for array in arguments(formula, backend.dtype)]
    out = [backend.empty(given[0].shape) for _ in written(formula, range(len(given))).results]
    backend.elementwise(formula, given, out, **numbers)
    return [backend.to_host(array) for array in out]


def arguments(formula: Formula, dtype: str) -> list[Array]:
    """Return what a formula is given: remarkable numbers, and usual ones."""
    remarkable = edges(dtype, entries(formula))
    usual = [3 * normal((7 * ROWS,), place) for place in range(len(remarkable))]
    return [np.concatenate([few, many.astype(dtype)]) for few, many in zip(remarkable, usual, strict=True)]


def compare_kernels(reference: Backend, other: Backend) -> dict[str, list[Difference]]:
    """Run every kernel of two backends on the same numbers.

    Parameters
    ----------
    reference : Backend
        What is right.
    other : Backend
        What is to be checked, in the same precision.

    Returns
    -------
    dict of str to list of Difference
        By the kernel's name, one for each result; a single one with a note where the other backend fails.
    """
    with reference.non_finite_allowed(), other.non_finite_allowed():
        found = {probe.__name__: _compare_probe(probe, reference, other) for probe in PROBES}
        formulas = [_compare_formula(formula, reference, other) for formula in FORMULAS]
    return found | {"elementwise": [one for group in formulas for one in group]}


def _compare_probe(probe: Probe, reference: Backend, other: Backend) -> list[Difference]:
    try:
        found = {key: _on_host(other, array) for key, array in probe(other).items()}
    except Exception as error:  # whatever a broken device raises is a check that has failed
        return [failure(probe.__name__, error)]
    return [
        difference(key, found.get(key), _on_host(reference, array), TOLERANCES[other.dtype])
        for key, array in probe(reference).items()
    ]


def _on_host(backend: Backend, array: Array) -> Array:
    return backend.to_host(array) if backend.on_device(array) else np.asarray(array)


def _compare_formula(formula: Formula, reference: Backend, other: Backend) -> list[Difference]:
    """Compare entry by entry: beside the largest number there is, no other would count.

    An entry's scale is the largest finite number that went into it or came out, which its rounding is a share of.
    """
    title = formula.__qualname__
    try:
        found = evaluate(formula, other)
    except Exception as error:  # as above
        return [failure(title, error)]
    differences = []
    for place, (a, b) in enumerate(zip(found, evaluate(formula, reference), strict=True), start=1):
        numbers = np.abs(np.stack([*arguments(formula, reference.dtype), b]).astype(np.float64))
        scale = np.where(np.isfinite(numbers), numbers, 0).max(axis=0)
        differences.append(difference(f"{title}, {place}", a, b, TOLERANCES[reference.dtype], scale))
    return differences

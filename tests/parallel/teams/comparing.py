"""What two runs have come to, side by side."""

import csv

import numpy as np

from bdfa_np.runs.checkpoint import read_checkpoint


def figures(run):
    """Return the metrics of a run, without seconds."""
    with (run / "metrics.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [{name: float(value) for name, value in row.items() if name != "seconds"} for row in rows]


def arrays(run):
    """Return the weights, the feedback and what layers carry of a run, by name."""
    checkpoint = read_checkpoint(run / "checkpoint.h5")
    return {**checkpoint.weights, **checkpoint.feedback, **checkpoint.layers}


def assert_close(first, second, tolerance=2e-5):
    """Fail unless two runs have the same but for rounding, each array by its own largest number."""
    found, expected = arrays(first), arrays(second)
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        bound = tolerance * max(1, np.abs(array).max())
        np.testing.assert_allclose(found[name], array, rtol=0, atol=bound, err_msg=name)


def same(first, second):
    """Return whether two runs have the same bits."""
    one, other = arrays(first), arrays(second)
    return one.keys() == other.keys() and all((one[name] == other[name]).all() for name in one)

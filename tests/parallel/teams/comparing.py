"""What two runs have come to, side by side."""

import csv

from bdfa_np.runs.checkpoint import read_checkpoint


def figures(run):
    """Return the metrics of a run, without seconds."""
    with (run / "metrics.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [{name: float(value) for name, value in row.items() if name != "seconds"} for row in rows]


def arrays(run):
    """Return the weights and the feedback of a run, by name."""
    checkpoint = read_checkpoint(run / "checkpoint.h5")
    return {**checkpoint.weights, **checkpoint.feedback}


def same(first, second):
    """Return whether two runs have the same bits."""
    one, other = arrays(first), arrays(second)
    return one.keys() == other.keys() and all((one[name] == other[name]).all() for name in one)

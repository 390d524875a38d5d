"""Which learning rates go with which rule, optimizer and net: ``python benchmarks/rates.py``, run by hand.

Every rule is trained with every optimizer at every rate, on MNIST's 5,000 digits of the package, and tested on the
images that ``validate`` holds out. What is printed is a table for docs/rates.md. Each run is short, so that the table
says where to look for a rate and not which rule is best; a rate that wins after a few epochs need not win in the end.
"""

import argparse
import itertools
import tempfile
from pathlib import Path
from typing import Any

from bdfa_np import Config
from bdfa_np.errors import TrainingError
from bdfa_np.runs.starting import start_run

RULES = ("bp", "fa", "dfa", "bfa", "bdfa")
OPTIMIZERS: dict[str, dict[str, Any]] = {"sgd": {}, "nag": {"momentum": 0.9}, "rmsprop": {}, "adam": {}}
TARGET = {"bdfa": {"feedback_target": "torch"}}
"""What the table in docs/rates.md was made with."""
RATES = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
FAILED = "fails"


def error_after(options: dict[str, Any]) -> float | None:
    """Train once; return the validation error of the last epoch, or None where the loss became infinite."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            session = start_run(Config(**options, validate=True, backend="numpy"), Path(folder) / "run")
        except TrainingError:
            return None
    return session.history[-1].test_error


def row(rule: str, optimizer: str, errors: dict[float, float | None]) -> str:
    """Return a row of the table: the error at each rate, in per cent, the lowest in bold."""
    lowest = min((error for error in errors.values() if error is not None), default=None)
    cells = [
        FAILED if error is None else f"**{100 * error:.1f}**" if error == lowest else f"{100 * error:.1f}"
        for error in errors.values()
    ]
    return "| " + " | ".join([rule, optimizer, *cells]) + " |"


def main() -> None:
    """Print the table, row by row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="mnist-5k")
    parser.add_argument("--network", default="mlp")
    parser.add_argument("--nonlin", default="tanh")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--train-limit", type=int)
    parser.add_argument("--test-limit", type=int)
    parser.add_argument("--rules", nargs="+", default=RULES)
    parser.add_argument("--optimizers", nargs="+", default=list(OPTIMIZERS), choices=OPTIMIZERS)
    parser.add_argument("--rates", nargs="+", type=float, default=RATES)
    asked = vars(parser.parse_args())
    rules, optimizers, rates = (asked.pop(name) for name in ("rules", "optimizers", "rates"))
    print("| rule | optimizer |" + "".join(f" {rate:g} |" for rate in rates))
    print("|---|---|" + "--:|" * len(rates))
    for rule, optimizer in itertools.product(rules, optimizers):
        chosen = {**asked, **OPTIMIZERS[optimizer], **TARGET.get(rule, {}), "gradient": rule, "optimization": optimizer}
        errors = {rate: error_after({**chosen, "lr": rate}) for rate in rates}
        print(row(rule, optimizer, errors), flush=True)


if __name__ == "__main__":
    main()

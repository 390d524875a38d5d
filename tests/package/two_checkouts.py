"""Compare the bits that two checkouts compute: ``python tests/package/two_checkouts.py OLD NEW``, run by hand.

For a change that must not alter a number. Each checkout is installed into a folder of its own and trains every case
for 20 steps, by the command line alone; the environment of the Python that runs this script serves both. All that is
in the two ``checkpoint.h5`` (weights, feedback, optimizer state, running statistics, counts) and ``metrics.csv`` must
be the same bit for bit, the seconds set aside. No expected number is kept, so any machine will do. All cases take some
minutes; ``--only "conv bdfa"`` picks those that have each of these words.

Agreement must also mean something. A case fails, whatever the comparison says, if it has not done its 20 steps, if an
array is not finite or all zero, if weights are as they were drawn, if there is none of the feedback or state that its
rule and options ask for, and if it comes to the same as another case: its options did nothing. Then, as after a
difference or a failed child, the exit code is 1.
"""

import argparse
import csv
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

STEPS = 20
COMMON = (
    f"--dataset mnist-5k --train-limit {STEPS * 4} --test-limit 20 --batch-size 4 --epochs 1 "
    "--threads 1 --backend numpy --seed 3"
)
NETS = {"mlp": "--network mlp --num-hidden 30", "conv": "--network conv"}
RULES = ("bp", "fa", "dfa", "bfa", "bdfa")
OPTIMIZERS = (
    "sgd --lr 1e-3, nag --lr 1e-3 --momentum 0.9, rmsprop --lr 1e-4, adam --lr 1e-4, adamax --lr 1e-3, "
    "adagrad --lr 1e-3, adadelta --lr 1, asgd --lr 1e-3, rprop --lr 1e-3"
)
STATELESS = "--optimization sgd --lr 1e-3"  # the one optimizer that keeps nothing, if it has no momentum
OPTIONS = (  # with the rule for mlp and the one for conv; None: not on that net
    ("bdfa", "dfa", "--eps 0.08"),
    ("bp", "bfa", "--eps 0.08 --acc-gradient 1"),
    ("dfa", "bdfa", "--dropout 1"),
    ("bdfa", "bp", "--batchnorm 1"),
    ("bfa", "bdfa", "--batchnorm 1 --dropout 1"),
    (None, "dfa", "--batchnorm 2"),
    ("fa", "bdfa", "--max-in-norm 0.02"),
    ("bdfa", "fa", "--max-out-norm 0.02"),
    ("bp", "dfa", "--augment"),
    ("bdfa", "bdfa", "--feedback-target torch --feedback-lr 1e-3 --feedback-alpha 0.5"),
    ("bdfa", "bdfa", "--feedback-target mixed"),
    ("bdfa", "bdfa", "--feedback-target label"),
    ("bdfa", "bdfa", "--feedback-target centred"),
    ("bfa", "bfa", "--feedback-output linear"),
    ("dfa", "bfa", "--rfb-mag 0.3"),
    ("bdfa", "bp", "--criterion ce"),
    ("fa", "bdfa", "--nonlin sigm"),
    ("bdfa", "bfa", "--nonlin relu"),
    ("dfa", "fa", "--bias 0"),
    ("bfa", "bdfa", "--weight-decay 0.01"),
    ("bdfa", "dfa", "--optimization sgd --lr 1e-3 --momentum 0.9"),
    ("bp", "fa", "--optimization sgd --lr 1e-3 --momentum 0.9 --weight-decay 0.01 --lr-decay 0.05"),
    ("dfa", "bdfa", "--optimization adam --lr-decay 0.05"),
    ("bfa", "bp", "--normalization image"),
    ("bdfa", None, "--whiten"),
    ("bp", None, "--num-layers 4"),
)
PYTHON = [sys.executable, "-P", "-c"]  # -P: no other bdfa_np may come from the folder of the call
# By its entry point, wherever a checkout has that.
BDFA = [*PYTHON, "from importlib.metadata import distribution as d; d('bdfa-np').entry_points['bdfa'].load()()"]
NOT_COPIED = ("/.git", "/.venv", "/build", "/dist", "/runs", "*.egg-info", "__pycache__", ".*_cache")  # / is the root


class ChildError(Exception):
    """A child failed: its command, and what it said."""


class Case(NamedTuple):
    net: str
    rule: str
    options: str

    def __str__(self) -> str:
        return " ".join(self)


def all_cases() -> Iterator[Case]:
    for net in NETS:
        for rule in RULES:
            for optimizer in OPTIMIZERS.split(", "):
                yield with_target(Case(net, rule, f"--optimization {optimizer}"))
    for *rules, options in OPTIONS:
        for net, rule in zip(NETS, rules, strict=True):
            if rule is not None:
                yield with_target(Case(net, rule, options))


def with_target(case: Case) -> Case:
    """Return a case of ``bdfa`` with a feedback target: not all checkouts have the same by default."""
    if case.rule != "bdfa" or "--feedback-target" in case.options:
        return case
    return case._replace(options=f"{case.options} --feedback-target torch")


def child(command: list[str], environment: dict[str, str], folder: Path) -> str:
    """Run a command to its end; return what it printed."""
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ChildError(f"exit code {done.returncode} of: {shlex.join(command)}\n{done.stderr or done.stdout}")
    return done.stdout


class Checkout:
    """A checkout as it is now, uncommitted changes included, installed into ``folder``."""

    def __init__(self, path: Path, folder: Path) -> None:
        self.folder = folder
        package, source = folder / "package", folder / "source"

        # A copy, since setuptools leaves folders behind where it builds; what it left there before must not get in.
        def ignored(parent: str, names: list[str]) -> set[str]:
            patterns = [
                pattern.removeprefix("/") for pattern in NOT_COPIED if pattern[0] != "/" or Path(parent) == path
            ]
            return shutil.ignore_patterns(*patterns)(parent, names)

        shutil.copytree(path, source, symlinks=True, ignore=ignored)
        pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(package), str(source)]
        child(pip, dict(os.environ), folder)
        self.environment = os.environ | {"PYTHONPATH": str(package), "BDFA_CACHE_DIR": str(folder / "prepared")}
        home = Path(child([*PYTHON, "import bdfa_np; print(bdfa_np.__file__)"], self.environment, folder).strip())
        if not home.resolve().is_relative_to(package.resolve()):
            raise ChildError(f"{path} is not what a child imports: bdfa_np came from {home}, not from {package}")
        print(f"{path}: {home}", flush=True)

    def train(self, case: Case, run: Path) -> dict[str, Any]:
        """Train a case; return all that it came to, and leave the run folder behind."""
        options = shlex.split(f"{COMMON} {NETS[case.net]} --gradient {case.rule} {case.options}")
        child([*BDFA, "train", *options, "--save", str(run)], self.environment, self.folder)
        return content(run)


def content(run: Path) -> dict[str, Any]:
    """Return all arrays and numbers of a run folder by name, those that are times set aside."""
    with h5py.File(run / "checkpoint.h5") as file:
        found: dict[str, Any] = {f"@{name}": np.asarray(value) for name, value in file.attrs.items()}
        file.visititems(lambda name, item: found.update({name: item[()]} if isinstance(item, h5py.Dataset) else {}))
    # What is no number of the training, and what metrics.csv tells too, where the seconds can be told apart.
    for name in ("@format", "record", "@preprocessing_sha256", "history"):
        found.pop(name, None)
    with (run / "metrics.csv").open(newline="") as file:
        for number, row in enumerate(csv.DictReader(file), start=1):
            found |= {f"metrics.csv:{number}:{name}": text for name, text in row.items() if name != "seconds"}
    return found


def bits(value: Any) -> tuple[Any, ...]:
    return (value.shape, value.dtype.str, value.tobytes()) if isinstance(value, np.ndarray) else (value,)


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Say what is not the same."""
    only = [f"{name} only in {side}" for side, a, b in (("old", old, new), ("new", new, old)) for name in a.keys() - b]
    return sorted(only) + [name for name in old if name in new and bits(old[name]) != bits(new[name])]


def meaningless(case: Case, found: dict[str, Any], initial: dict[str, Any]) -> list[str]:
    """Say why a result would prove nothing, even if it is the same twice."""
    needed = {"weights": True, "feedback": case.rule != "bp", "layers": "--batchnorm" in case.options}
    needed["optimizer"] = case.options != STATELESS
    held = {name.partition("/")[0] for name in found}
    problems = [f"no {group}" for group, is_needed in needed.items() if is_needed and group not in held]
    if found["@steps"] != STEPS:
        problems.append(f"{found['@steps']} steps")
    for name in (name for name in found if "/" in name):
        if not np.isfinite(found[name]).all():
            problems.append(f"{name} is not finite")
        elif not found[name].any():
            problems.append(f"{name} is zero")
        elif name in initial and name.startswith("weights/") and bits(found[name]) == bits(initial[name]):
            problems.append(f"{name} is as it was drawn")
    return problems


class Comparison:
    """Two checkouts, the nets of the cases, and the folder that runs are written to; ``keep``: and stay in."""

    def __init__(self, old: Checkout, new: Checkout, nets: set[str], folder: Path, keep: bool) -> None:
        self.checkouts, self.folder, self.keep = {"old": old, "new": new}, folder, keep
        # At such a rate nothing moves but from zero: these are the weights as they were drawn, where they are drawn.
        still = {net: Case(net, "bp", "--optimization sgd --lr 1e-30") for net in nets}
        self.initial = {net: self.train("old", case) for net, case in still.items()}

    def train(self, side: str, case: Case) -> dict[str, Any]:
        run = self.folder / re.sub(r"[^\w.]+", "_", str(case)) / side
        try:
            return self.checkouts[side].train(case, run)
        finally:
            if not self.keep:  # a checkpoint of conv has up to 90 MB
                shutil.rmtree(run.parent, ignore_errors=True)

    def __call__(self, case: Case) -> tuple[str, str]:
        """Return what is to be said of a case, and a digest of what it comes to; the latter empty if it failed."""
        try:
            old, new = (self.train(side, case) for side in self.checkouts)
        except ChildError as error:
            return f"FAILED: {error}", ""
        if differ := differences(old, new):
            return f"DIFFERS: {', '.join(differ)}", ""
        if problems := meaningless(case, old, self.initial[case.net]):
            return f"MEANS NOTHING: {', '.join(problems)}", ""
        digest = hashlib.sha256()
        for name in (name for name in sorted(old) if name.startswith(("weights/", "feedback/"))):
            digest.update(name.encode() + old[name].tobytes())
        return "same", digest.hexdigest()


def compare(comparison: Comparison, cases: list[Case], jobs: int) -> int:
    """Print a line for each case; return how many are not well."""
    seen, bad = dict[str, Case](), 0
    with ThreadPoolExecutor(jobs) as pool:
        for case, (verdict, digest) in zip(cases, pool.map(comparison, cases), strict=True):
            twin = seen.setdefault(digest, case) if digest else case
            said = verdict if twin is case else f"MEANS NOTHING: it comes to the same as {twin}"
            bad += said != "same"
            print(f"{case}: {said}", flush=True)
    return bad


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("old", type=Path, help="a checkout")
    parser.add_argument("new", type=Path, help="the other")
    parser.add_argument("--only", default="", metavar="WORDS", help="the cases whose names have all these words")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the run folders there")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="cases at a time (default: 2)")
    options = parser.parse_args()
    cases = [case for case in all_cases() if set(options.only.split()) <= set(str(case).split())]
    if not cases:
        parser.error(f"no case has all the words {options.only!r}")
    for path in (options.old, options.new):
        if not (path / "pyproject.toml").is_file():
            parser.error(f"{path} is no checkout: it has no pyproject.toml")
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="two_checkouts") as temporary:
        folder = Path(temporary).resolve()
        try:
            old, new = Checkout(options.old, folder / "old"), Checkout(options.new, folder / "new")
            nets, runs = {case.net for case in cases}, (options.keep or folder / "runs").resolve()
            bad = compare(Comparison(old, new, nets, runs, options.keep is not None), cases, options.jobs)
        except ChildError as error:
            print(error, file=sys.stderr)
            return 1
    print(f"{len(cases) - bad} of {len(cases)} cases are the same, after {time.perf_counter() - start:.0f} s")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

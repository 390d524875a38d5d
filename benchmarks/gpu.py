"""Compare this project on an NVIDIA GPU with PyTorch there: ``python benchmarks/gpu.py --help``.

Install both for CUDA first, each in the build for your driver: ours by the extra that ``bdfa info`` names, ``cuda`` or
``cuda13``, and PyTorch by https://pytorch.org/get-started/locally::

    pip install ".[cuda13]" torch
    python benchmarks/gpu.py --quick
    python benchmarks/gpu.py --out gpu.md

In one process and on one device, programs take turns at training steps of the same net on the same batches:

``ours``, ``ours graph``
    this project on CuPy, without and with ``--cuda-graph``;
``torch``, ``torch graph``
    PyTorch by hand, by its public operations, without autograd; and the same captured by ``torch.cuda.CUDAGraph``;
``autograd``
    for ``bp``, PyTorch's modules and autograd with its fused optimizers;
``ours cpu``
    this project on NumPy.

Ours also computes the loss and counts errors. Before anything is timed, five steps of each program are compared, in
float64. A time is from an idle device to an idle device; a ratio is of two turns of the same round, and below 1 we are
ahead.
"""

import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import click
from measure.cases import picked
from measure.jobs import Job
from report.figures import quartiles
from report.machine import describe_machine, describe_versions
from rich import box
from rich.console import Console
from rich.table import Table

from bdfa_np.errors import UserError
from bdfa_np.system.files import replace_text

BATCHES = (64, 128)
UNITS = 800
OPTIMIZERS = ("sgd", "rmsprop", "adam")
RULES = ("bp", "fa", "dfa", "bfa", "bdfa")
QUICK_RULES = ("bp", "dfa", "bdfa")
IMAGES = {"mlp": 60_000, "conv": 50_000}
"""Of an epoch: as many as MNIST and CIFAR-10 have for training."""
ROUNDS, QUICK_ROUNDS = 11, 5
EPOCH_ROUNDS = 3
SECONDS = 0.1
"""How long a turn takes, about."""
OURS = ("ours", "ours graph")
"""Whose time is divided by the others'."""


@dataclass(frozen=True)
class Case:
    """A row: a job whose step is timed or, where ``images`` are given, whose epoch is."""

    name: str
    job: Job
    tf32: bool = False
    images: int = 0


@dataclass
class Sheet:
    """A table that grows line by line; of the columns the first two are words."""

    title: str
    headings: tuple[str, ...]
    lines: list[tuple[str, ...]] = field(default_factory=list)

    def table(self) -> Table:
        """Return it for the terminal."""
        table = Table(title=self.title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
        for number, heading in enumerate(self.headings):
            table.add_column(heading, justify="left" if number < 2 else "right")
        for line in self.lines:
            table.add_row(*line)
        return table

    def markdown(self) -> str:
        """Return it as Markdown."""
        rule = ["---" if number < 2 else "---:" for number in range(len(self.headings))]
        rows = [self.headings, rule, *([cell.replace("|", "\\|") for cell in line] for line in self.lines)]
        return "\n".join([f"## {self.title}", "", *(f"| {' | '.join(row)} |" for row in rows), ""])


def all_cases(device: str, *, quick: bool) -> list[Case]:
    """Return the rows; those with TF32 are of a GPU alone."""
    cases = []
    for network, images in IMAGES.items():
        shape = f" 2x{UNITS}" if network == "mlp" else ""
        for batch in BATCHES:
            for rule in QUICK_RULES if quick else RULES:
                for optimizer in OPTIMIZERS:
                    job = Job(network, 2, UNITS, batch, rule, optimizer, device=device)
                    cases.append(Case(f"{network}{shape} {rule} {optimizer} {batch} step", job))
        job = Job(network, 2, UNITS, BATCHES[0], device=device)
        name = f"{network}{shape} {job.rule} {job.optimizer} {job.batch}"
        if device != "cpu":
            cases.append(Case(f"{name} step tf32", job, tf32=True))
        cases.append(Case(f"{name} epoch", job, images=images // (10 if quick else 1)))
    return cases


def time_text(seconds: float) -> str:
    """Return a time with three digits: in seconds, or below one in milliseconds."""
    value, unit = (seconds, "s") if seconds >= 1 else (seconds * 1e3, "ms")
    return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3}f} {unit}"


def spread_text(seconds: Sequence[float]) -> str:
    """Return the quartiles of times."""
    return " – ".join(time_text(value) for value in quartiles(seconds))


def ratio_text(of: Sequence[float] | None, to: Sequence[float]) -> str:
    """Return the median of the ratios round by round; nothing where there is none."""
    return f"{median(a / b for a, b in zip(of, to, strict=True)):.2f}" if of else ""


def step_lines(name: str, rounds: Mapping[str, Sequence[float]], left_out: Mapping[str, str]) -> Iterator[tuple]:
    """Yield the lines of a case: for each program its seconds a step, and ours divided by them."""
    for program, seconds in rounds.items():
        ratios = ["" if of == program else ratio_text(rounds.get(of), seconds) for of in OURS]
        yield (name, program, time_text(median(seconds)), spread_text(seconds), *ratios)
    for program, reason in left_out.items():
        yield (name, f"{program} left out: {reason}", "", "", "", "")


def missing(device: str) -> str:
    """Say in one line what a device lacks; return the empty text if nothing."""
    found = []
    if device != "cpu":
        from bdfa_np.backend.cuda.status import cupy_status

        found = [cupy_status(int(device.removeprefix("cuda:")))]
    if find_spec("torch") is None:
        found.append("PyTorch is not installed: pip install torch")
    elif device != "cpu":
        import torch

        if not torch.cuda.is_available():
            found.append(f"PyTorch {torch.__version__} cannot use CUDA: install a build for CUDA from pytorch.org")
    return "; ".join(filter(None, found))


def measure_steps(case: Case, quick: bool) -> Iterator[tuple]:
    """Check that a case's programs agree, let them take turns, and yield the table's lines."""
    from programs import gpu_programs

    device = case.job.device
    gpu_programs.choose(device, tf32=False)
    checked = replace(case.job, drawn=True, precision="float64")
    left_out = gpu_programs.check_agreement(checked, gpu_programs.makers(checked))
    gpu_programs.choose(device, case.tf32)
    makers = gpu_programs.makers(case.job, tf32=case.tf32)
    if case.tf32:
        del makers["ours cpu"]
    programs = {name: make() for name, make in makers.items() if name not in left_out}
    for program in programs.values():
        for _ in range(gpu_programs.STEPS):
            program()
    rounds: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(QUICK_ROUNDS if quick else ROUNDS):
        for name, program in programs.items():
            rounds[name].append(gpu_programs.turn(program, device, SECONDS))
    return step_lines(case.name, rounds, left_out)


def measure_epochs(case: Case, quick: bool) -> Iterator[tuple]:
    """Let epochs and as many bare steps take turns, and yield the table's lines."""
    from programs import gpu_programs

    gpu_programs.choose(case.job.device, case.tf32)
    options = {"ours": {}}
    if case.job.device != "cpu":
        cupy = {"backend": "cupy", "device": int(case.job.device.removeprefix("cuda:"))}
        options = {"ours": cupy, "ours graph": cupy | {"cuda_graph": True}}
    for name, chosen in options.items():
        program = gpu_programs.Epochs(case.job, case.images, **chosen)
        epochs, steps = zip(*(program() for _ in range(EPOCH_ROUNDS)), strict=True)
        shown = time_text(median(epochs)), spread_text(epochs), time_text(median(steps)), ratio_text(epochs, steps)
        yield (case.name, name, *shown)


def facts(device: str) -> dict[str, str]:
    """Return where figures come from."""
    from programs import gpu_programs

    machine, versions = describe_machine(), describe_versions()
    return {
        "command": shlex.join(["python", *sys.orig_argv[1:]]),
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "CPU": f"{machine['cpu']}, {machine['cores']} cores",
        "system": str(machine["system"]),
        **gpu_programs.versions(device),
        **{name: str(versions[name]) for name in ("bdfa-np", "python", "numpy")},
    }


def device_name(context: click.Context, parameter: click.Parameter, value: str) -> str:
    """Return a device as PyTorch names it."""
    if value != "cpu" and not value.isdecimal():
        raise click.BadParameter(f"{value!r} is no device: give its number, counted from 0", context, parameter)
    return value if value == "cpu" else f"cuda:{int(value)}"


def run(cases: Sequence[Case], quick: bool, sheets: Mapping[Callable, Sheet]) -> int:
    """Measure one case after another, and return the exit code."""
    for number, case in enumerate(cases, start=1):
        if sys.stderr.isatty():
            click.echo(f"\r\x1b[K{number}/{len(cases)}  {case.name}\r", nl=False, err=True)
        measure = measure_epochs if case.images else measure_steps
        try:
            sheets[measure].lines += measure(case, quick)
        except KeyboardInterrupt:
            click.echo(f"interrupted: {number - 1} of {len(cases)} rows were measured", err=True)
            return 130
        except UserError as error:
            click.echo(f"{case.name}: {error}", err=True)
            return 1
    if sys.stderr.isatty():
        click.echo("\r\x1b[K", nl=False, err=True)
    return 0


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--device", default="0", callback=device_name, help="The CUDA device; cpu tries this script without one.")
@click.option("--quick", is_flag=True, help="Three rules, fewer turns, a tenth of the images.")
@click.option("--only", multiple=True, metavar="PATTERN", help="Only rows with these words; * and ? stand for others.")
@click.option("--list", "list_rows", is_flag=True, help="List the rows, and measure nothing.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Also write the tables as Markdown.")
def main(*, device: str, quick: bool, only: tuple[str, ...], list_rows: bool, out: Path | None) -> None:
    """Compare this project with PyTorch on an NVIDIA GPU: time of a step and of an epoch.

    Exit codes: 0 measured; 1 two programs disagree; 2 something is missing; 130 interrupted.
    """
    cases = [case for case in all_cases(device, quick=quick) if not only or picked(case.name, only)]
    if not cases:
        raise click.UsageError(f"no row fits {' or '.join(map(repr, only))}: --list shows them")
    if list_rows:
        click.echo("\n".join(case.name for case in cases))
        return
    if out is not None and not out.parent.is_dir():
        raise click.BadParameter(f"there is no folder {out.parent}: make it first", param_hint="--out")
    lacking = missing(device)
    if lacking:
        click.echo(f"benchmarks/gpu.py cannot run: {lacking}", err=True)
        sys.exit(2)
    titles = {
        measure_steps: Sheet("Steps", ("", "program", "a step", "quartiles", "ours / it", "ours graph / it")),
        measure_epochs: Sheet("Epochs", ("", "program", "an epoch", "quartiles", "bare steps", "epoch / steps")),
    }
    code = run(cases, quick, titles)
    sheets = [sheet for sheet in titles.values() if sheet.lines]
    found, console = facts(device), Console(highlight=False, emoji=False, markup=False)
    if not console.is_terminal:
        console.width = 140
    for sheet in sheets:
        console.print(sheet.table())
    for name, fact in found.items():
        console.print(f"{name}: {fact}")
    if out is not None and sheets:
        parts = ["# Beside PyTorch\n", *(f"- {name}: {fact}" for name, fact in found.items()), ""]
        replace_text(out, "\n".join([*parts, *(sheet.markdown() for sheet in sheets)]))
    sys.exit(code)


if __name__ == "__main__":
    main(prog_name="python benchmarks/gpu.py")

"""Compare this project's speed and memory with PyTorch's on a CPU: ``python benchmarks --help``."""

import shlex
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from importlib.util import find_spec
from os import environ
from pathlib import Path
from time import perf_counter

import click
from measure.cases import Case, all_cases, picked
from measure.turns import Children, take_turns
from report.figures import Results
from report.machine import describe_machine, describe_versions
from report.table import show
from rich.console import Console

from bdfa_np.data.sources.registry import find_entry
from bdfa_np.options.machine import usable_cores

DEFAULT_OUT = Path(__file__).with_name("results")
CLEAR_LINE = "\r\x1b[K"
DATA_FOLDERS = {"mnist": "mnist", "cifar10": "cifar-10-batches-bin"}


@cache
def missing(need: str) -> str:
    """Say why a package or a data set is not there; return the empty text if it is."""
    if need.startswith("data set "):
        name = need.removeprefix("data set ")
        folder = environ.get("BDFA_DATA_DIR")
        there = folder and (Path(folder) / DATA_FOLDERS[name]).is_dir()
        return "" if there else f"no {find_entry(name).name} under BDFA_DATA_DIR"
    return "" if find_spec(need) else f'{need} is not installed: pip install ".[oracle]"'


def measure(cases: Sequence[Case], results: Results, threads: int, store: Callable[[], None]) -> None:
    """Measure one case after another, and store what there is after each."""
    with (
        tempfile.TemporaryDirectory(prefix="benchmarks") as folder,
        Children(threads, Path(folder)) as children,
    ):
        for number, case in enumerate(cases, start=1):
            if sys.stderr.isatty():  # no spinner: what draws it would take time from what is measured
                click.echo(f"{CLEAR_LINE}{number}/{len(cases)}  {case.name}", nl=False, err=True)
            row = take_turns(case, children, missing)
            if sys.stderr.isatty():
                click.echo(CLEAR_LINE, nl=False, err=True)
            results.rows.append(row)
            store()
            for error in row.errors:
                click.echo(f"{case.name}: {error}", err=True)


def draw(results: Results, path: Path) -> None:
    """Draw the picture, or say in a line why there is none."""
    if find_spec("matplotlib") is None:
        click.echo('no picture: matplotlib is not installed: pip install ".[plot]"', err=True)
        return
    from report.picture import draw_ratios

    if draw_ratios(results, path):
        click.echo(f"picture: {path}")


@click.command(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="""\b
Examples:
  python benchmarks --quick                      about 2 minutes
  python benchmarks --threads 1 --out results    about 15 minutes
  python benchmarks --only "mlp dfa 64"          rows with all of these words
  python benchmarks --only "conv *dfa" --only memory --list
\b
Let nothing else run meanwhile. PyTorch comes with the extra: pip install ".[oracle]"
Exit codes: 0 measured, whether targets were reached or not; 1 a program failed; 130 interrupted.""",
)
@click.option("--quick", is_flag=True, help="Fewer cases, fewer and shorter turns.")
@click.option("--only", multiple=True, metavar="PATTERN", help="Only rows with these words; * and ? stand for others.")
@click.option("--list", "list_rows", is_flag=True, help="List the rows, and measure nothing.")
@click.option(
    "--threads",
    type=click.IntRange(1, usable_cores()),
    default=min(2, usable_cores()),
    show_default=True,
    help="Threads of every program.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=DEFAULT_OUT,
    help="Folder for the figures (JSON) and the picture (PNG).  [default: benchmarks/results]",
)
def main(*, quick: bool, only: tuple[str, ...], list_rows: bool, threads: int, out: Path) -> None:
    """Compare this project with PyTorch on a CPU: time of a step, an epoch and a start, and memory.

    Programs take turns, each in a process of its own; a ratio is of two turns of the same round.
    """
    cases = [case for case in all_cases(quick=quick) if not only or picked(case.name, only)]
    if not cases:
        raise click.UsageError(f"no row fits {' or '.join(map(repr, only))}: --list shows them")
    if list_rows:
        click.echo("\n".join(case.name for case in cases))
        return
    if missing("torch"):
        click.echo(f"rows without PyTorch: {missing('torch')}", err=True)
    start, console = perf_counter(), Console(highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = 140
    results = Results(
        {
            "command": shlex.join(["python", *sys.orig_argv[1:]]),
            "date": datetime.now().astimezone().isoformat(timespec="seconds"),
            "threads": threads,
            "machine": describe_machine(),
            "versions": describe_versions(),
        }
    )
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise click.BadParameter(f"{out}: {error.strerror}: name another folder", param_hint="--out") from error
    stem = "selected" if only else "quick" if quick else "full"
    path = out / f"{stem}.json"

    def store() -> None:
        results.circumstances["seconds"] = round(perf_counter() - start, 1)
        results.write(path)

    interrupted = False
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does: what was measured stays
    try:
        measure(cases, results, threads, store)
    except KeyboardInterrupt:
        interrupted = True
    show(results, console)
    click.echo(f"{results.circumstances.get('seconds', 0):g} s, {threads} threads; every figure: {path}")
    draw(results, path.with_suffix(".png"))
    if interrupted:
        click.echo(f"interrupted: {len(results.rows)} of {len(cases)} rows were measured", err=True)
    sys.exit(130 if interrupted else any(row.errors for row in results.rows))


if __name__ == "__main__":
    main(prog_name="python benchmarks")

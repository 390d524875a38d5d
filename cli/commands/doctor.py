"""``bdfa doctor``: whether a CUDA device computes what the CPU does."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

from bdfa_np.cli.command import Command
from bdfa_np.cli.options import debug_option
from bdfa_np.cli.outcome import DONE, FAILED, USAGE

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from bdfa_np.backend.base import Backend
    from bdfa_np.parity.differences import Difference
    from bdfa_np.parity.training import Case

WIDTH = 120
"""Of the table where no terminal has one."""


@dataclass(frozen=True)
class Check:
    """One row of the table.

    Attributes
    ----------
    name : str
        What was checked.
    dtype : str
        In which precision.
    differences : list of Difference
        All that was compared for it.
    """

    name: str
    dtype: str
    differences: "list[Difference]"

    @property
    def passed(self) -> bool:
        """Whether all is near enough."""
        return all(one.passed for one in self.differences)


@click.command(
    cls=Command,
    epilog="""\b
Examples:
  bdfa doctor                 every kernel, net, rule, optimizer and option
  bdfa doctor --device 1      the same on the second device
  bdfa doctor --thorough      every net with every rule and every optimizer""",
    exit_codes={
        DONE: "all is near enough",
        FAILED: "something is not",
        USAGE: "CUDA cannot be used, or another error: one line says which",
    },
)
@click.option("--device", type=click.IntRange(min=0), default=0, show_default=True, help="CUDA device, counted from 0.")
@click.option("--thorough", is_flag=True, help="Check every net with every rule and every optimizer.")
@click.option("--backend", type=click.Choice(["cupy", "numpy"]), default="cupy", hidden=True)
@debug_option
def doctor(device: int, thorough: bool, backend: str) -> int:
    """Check that a CUDA device computes what the CPU does.

    Every kernel runs on both, and small nets are trained on both, in float64 and float32, with and without CUDA graphs.
    A table shows how far the two are apart.
    """
    from rich.console import Console

    from bdfa_np.backend import make_backend
    from bdfa_np.backend.base import DTYPES
    from bdfa_np.backend.cuda.status import cupy_status
    from bdfa_np.errors import BackendError
    from bdfa_np.parity.training import cases

    missing = cupy_status(device) if backend == "cupy" else None
    if missing:
        raise BackendError(f"CUDA cannot be used: {missing}")
    graphs = (False, True) if backend == "cupy" else (False,)
    backends = [[make_backend(backend, dtype, device=device, cuda_graph=on) for on in graphs] for dtype in DTYPES[::-1]]
    where = backends[0][0].describe().partition(" on ")[2] or backend
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = WIDTH
    console.print(f"checking {backend} on {where} against NumPy")
    checks = watched(console, backends, cases(thorough))
    console.print(table(checks))
    failed = [check for check in checks if not check.passed]
    for check in failed:
        console.print(complaint(check))
    if failed:
        console.print(f"{len(failed)} of {len(checks)} checks failed: results from {where} must not be trusted")
        return FAILED
    console.print(f"all {len(checks)} checks passed on {where}")
    return 0


def watched(console: "Console", backends: "Sequence[Sequence[Backend]]", chosen: "Sequence[Case]") -> list[Check]:
    """Run all checks, with a bar on a terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("starting", total=len(backends) * (1 + len(chosen)))
        checks: list[Check] = []
        for group in backends:
            for some in examined(group, chosen):
                checks += some
                progress.update(bar, advance=1, description=f"{some[-1].dtype} {some[-1].name}")
    return checks


def examined(group: "Sequence[Backend]", chosen: "Sequence[Case]") -> Iterator[list[Check]]:
    """Yield checks as they are done: those of the kernels at once, then one for each case on all backends of a group.

    The backends are of one precision: the first runs steps as they are, others capture them.
    """
    from bdfa_np.parity.kernels import compare_kernels
    from bdfa_np.parity.training import Reference, compare

    dtype = group[0].dtype
    kernels = compare_kernels(Reference(group[0]), group[0])
    yield [Check(f"kernel {name}", dtype, differences) for name, differences in kernels.items()]
    for case in chosen:
        differences: list[Difference] = []
        for backend, way in zip(group, ("", " (CUDA graph)"), strict=False):
            differences += [replace(one, name=one.name + way) for one in compare(case, Reference(backend), backend)]
        yield [Check(case.name, dtype, differences)]


def table(checks: Sequence[Check]) -> "Table":
    """Return the table, a row a check."""
    from rich.table import Table
    from rich.text import Text

    from bdfa_np.parity.differences import worst

    found = Table("check", "precision", box=None, pad_edge=False)
    for column in ("worst difference", "tolerance", "result"):
        found.add_column(column, justify="right")
    for check in checks:
        one = worst(check.differences)
        result = Text("pass", "green") if check.passed else Text("FAIL", "bold red")
        tolerance = f"{one.tolerance:.0e}" if one.tolerance else "equal"
        found.add_row(check.name, check.dtype, f"{one.value:.1e}", tolerance, result)
    return found


def complaint(check: Check) -> str:
    """Return what was wrong, in a line."""
    from bdfa_np.parity.differences import worst

    one, failures = worst(check.differences), sum(not one.passed for one in check.differences)
    many = f" and {failures - 1} more" if failures > 1 else ""
    why = one.note or f"differs by {one.value:.1e}, more than {one.tolerance:.0e}"
    return f"FAIL {check.name}, {check.dtype}: {one.name}{many}: {why}"

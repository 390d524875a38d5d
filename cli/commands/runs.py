"""``bdfa runs``: the runs in a folder."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bdfa_np.cli.options import Command, debug_option

if TYPE_CHECKING:
    from bdfa_np.runs.listing import Summary


@click.command(
    cls=Command,
    epilog="""\b
Examples:
  bdfa runs
  bdfa runs experiments""",
)
@click.argument("folder", type=click.Path(path_type=Path), default=Path("runs"))
@debug_option
def runs(folder: Path) -> None:
    """List the runs in FOLDER, which is runs/ unless it is given.

    A run has the options that differ among them, its epochs, and its last and lowest error.
    """
    from bdfa_np.errors import RunError
    from bdfa_np.runs.listing import differing, find_runs
    from bdfa_np.tables import Table

    if not folder.is_dir():
        raise RunError(f"there is no folder {folder}: bdfa train makes runs/, or name another one")
    found = find_runs(folder)
    if not found:
        raise RunError(f"there are no runs in {folder}: name the folder that holds run folders")
    names = differing(found)
    columns = ["run", *names, "epochs", "last", "lowest", "after", "of", "state"]
    rows = [[run.path.name, *(text(run.options.get(name)) for name in names), *figures(run)] for run in found]
    click.echo(Table(columns, rows, right=("epochs", "last", "lowest", "after")).to_text())


def text(value: object) -> str:
    """Return an option's value; of a path its last part."""
    if value is None:
        return ""
    return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else str(value)


def figures(run: "Summary") -> list[str]:
    """Return the cells of a run's epochs and errors, and its state."""
    if run.state == "damaged":
        return ["", "", "", "", "", run.state]
    epochs = f"{len(run.errors)}/{run.options['epochs']}" if run.options["epochs"] > 0 else f"{len(run.errors)}"
    if not run.errors:
        return [epochs, "", "", "", "", run.state]
    lowest = min(run.errors)
    after = str(run.errors.index(lowest) + 1)
    return [epochs, f"{run.errors[-1]:.2%}", f"{lowest:.2%}", after, run.tested_on, run.state]

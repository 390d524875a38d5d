"""``bdfa runs``: what the runs in a folder have come to."""

import textwrap
from pathlib import Path

import click

from bdfa_np.cli.command import Command
from bdfa_np.cli.options import debug_option
from bdfa_np.cli.paths import FolderPath
from bdfa_np.errors import RunError


@click.command(
    cls=Command,
    epilog="""\b
Examples:
  bdfa runs
  bdfa runs sweep --json""",
)
@click.argument("folder", default="runs", type=FolderPath())
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON, errors as fractions.")
@debug_option
def runs(folder: Path, as_json: bool) -> None:
    """List runs: their options, epochs and errors.

    They are those in FOLDER, by default runs, and in the folders in it. Each has the options in which not all of them
    agree (those of the machine and its paths left out), the epochs done of how many, the error after the last one, the
    lowest error and after which epoch, and whether it is finished, can go on or is damaged.
    """
    from bdfa_np.runs.listing import list_runs, listing

    found = list_runs(folder)
    if not found:
        raise RunError(f"there are no runs in {folder}: name the folder that holds run folders")
    if as_json:
        import json

        click.echo(json.dumps([run.to_mapping() for run in found], indent=2, ensure_ascii=False, default=str))
        return
    click.echo(listing(found, folder))
    for run in found:
        if run.problem:
            click.echo(textwrap.fill(f"note: {' '.join(run.problem.split())}", 80, subsequent_indent="  "))

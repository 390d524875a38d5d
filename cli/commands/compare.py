"""``bdfa compare``: runs side by side."""

import shutil
from pathlib import Path

import click

from bdfa_np.cli.command import Command
from bdfa_np.cli.options import debug_option
from bdfa_np.cli.paths import FolderPath


@click.command(
    cls=Command,
    epilog="""\b
Examples:
  bdfa compare runs/bp runs/bdfa
  bdfa compare studies/luo-mnist/1x400/*/seed-0
  bdfa compare runs/bp runs/bdfa --all
  bdfa compare runs/* --json""",
)
@click.argument("runs", nargs=-1, required=True, type=FolderPath(), metavar="RUN RUN ...")
@click.option("--all", "every", is_flag=True, help="Show all options, not only those in which the runs differ.")
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON, errors as fractions.")
@debug_option
def compare(runs: tuple[Path, ...], every: bool, as_json: bool) -> None:
    """Show runs side by side: in what they differ, and their errors.

    Of each run folder RUN there are the settings, versions and machines that differ, errors, epochs and seconds.
    Options of the machine and its paths are left out; backend and threads are shown beside the seconds. Where a column
    for each run is too wide for the terminal, each run has a row.
    """
    from bdfa_np.runs.listing.comparing import compare_runs

    found = compare_runs(runs, every=every)
    if as_json:
        import json

        click.echo(json.dumps(found.to_mapping(), indent=2, ensure_ascii=False, default=str))
        return
    click.echo(found.text(shutil.get_terminal_size().columns))

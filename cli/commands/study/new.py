"""``bdfa study new``: a commented file to start a study of one's own from."""

import os
from pathlib import Path
from typing import Any

import click

from bdfa_np.cli.command import Command
from bdfa_np.cli.options import debug_option
from bdfa_np.cli.paths import OutputPath
from bdfa_np.errors import StudyError


class StudyPath(OutputPath):
    """A file to be written, or ``-`` for standard output."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path."""
        return Path("-") if value == "-" else super().convert(value, param, ctx)


@click.command(
    "new",
    cls=Command,
    epilog="""\b
Examples:
  bdfa study new sweep.toml
  bdfa study run sweep.toml
  bdfa study new - | less
A published study to start from: bdfa study show luo-mnist --toml > mine.toml""",
)
@click.argument("file", type=StudyPath())
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@debug_option
def study_new(file: Path, force: bool) -> None:
    """Write a commented study, which can be run as it stands.

    It goes into FILE; - is standard output.
    """
    from bdfa_np.study.description import SUFFIX, published_names, template
    from bdfa_np.system.outputs import write_output

    if str(file) == "-":
        click.echo(template("FILE"), nl=False)
        return
    if file.suffix != SUFFIX:
        raise StudyError(f"{file}: a study's file ends in {SUFFIX}: name it {file}{SUFFIX}")
    if os.path.lexists(file) and not force:
        raise StudyError(f"{file} is there: name another file, or replace it with --force")
    write_output(file, template(str(file)))
    click.echo(f"{file}: change it, then bdfa study run {file}")
    if file.stem in published_names():
        click.echo(f"note: {file.stem} is a published study too: without {SUFFIX}, that one is meant")

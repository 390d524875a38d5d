"""What sphinx-click shows of a command, as the command's own help has it.

Its texts are plain: none of their characters is markup. Options stand under their headings, and examples and exit
codes are code, each line as it is.
"""

import re
from textwrap import dedent
from typing import Any

import click

from bdfa_np.cli import command as cli_command

MARKUP = re.compile(r"([\\*`|_])")


def escaped(line: str) -> str:
    """Return a line of plain text in which nothing is markup, and an address no link."""
    return MARKUP.sub(r"\\\1", line).replace("://", "\\://")


def plain_description(app: Any, ctx: click.Context, lines: list[str]) -> None:
    """Escape what a command says of itself."""
    lines[:] = [escaped(line) for line in lines]


def headed_options(app: Any, ctx: click.Context, lines: list[str]) -> None:
    """Show options with the texts of the help, under their headings, those of a run first."""
    headed = cli_command.headed_options(ctx)
    lines.clear()
    for title, records in headed.items():
        if len(headed) > 1:
            lines += [f"**{'Options of this command' if title == cli_command.OWN else title}**", ""]
        for term, text in records:
            lines += [f".. option:: {term.replace(' / ', ', ')}", "", f"   {escaped(text)}", ""]


def shown_epilog(app: Any, ctx: click.Context, lines: list[str]) -> None:
    """Show examples and exit codes, which the help lists below a line that ends with a colon, as code."""
    formatter = click.HelpFormatter(width=80)
    ctx.command.format_epilog(ctx, formatter)
    lines.clear()
    for paragraph in re.split(r"\n\s*\n", dedent(formatter.getvalue()).strip("\n")):
        title, *rest = paragraph.splitlines() or [""]
        listed = [line for line in rest if line.startswith(" ")]
        after = [line for line in rest if not line.startswith(" ")]
        if title.endswith(":") and listed:
            lines += [f".. rubric:: {title.removesuffix(':')}", "", ".. code-block:: text", ""]
            lines += [f"   {line.removeprefix('  ')}" for line in listed]
        else:
            after = paragraph.splitlines()
        lines += ["", *map(escaped, after), ""]


def setup(app: Any) -> dict[str, bool]:
    """Listen to what sphinx-click writes."""
    app.connect("sphinx-click-process-description", plain_description)
    app.connect("sphinx-click-process-options", headed_options)
    app.connect("sphinx-click-process-epilog", shown_epilog)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

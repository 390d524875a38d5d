"""What sphinx-click shows of a command, as the command's own help has it.

Its texts are plain: none of their characters is markup. Options stand under their headings, and examples and exit
codes are code, each line as it is.
"""

import re
from textwrap import dedent
from typing import Any

import click

MARKUP = re.compile(r"([\\*`|_])")
OWN = "Options of this command"


def escaped(line: str) -> str:
    """Return a line of plain text in which nothing is markup, and an address no link."""
    return MARKUP.sub(r"\\\1", line).replace("://", "\\://")


def plain_description(app: Any, ctx: click.Context, lines: list[str]) -> None:
    """Escape what a command says of itself."""
    lines[:] = [escaped(line) for line in lines]


def headed_options(app: Any, ctx: click.Context, lines: list[str]) -> None:
    """Show options with the texts of the help, under their headings, those of a run first."""
    under: dict[str, list[str]] = {}
    for option in ctx.command.params:
        record = option.get_help_record(ctx) if isinstance(option, click.Option) else None
        if record is not None:
            term, text = record
            entry = [f".. option:: {term.replace(' / ', ', ')}", "", f"   {escaped(text)}", ""]
            under.setdefault(getattr(option, "heading", OWN), []).extend(entry)
    own = under.pop(OWN, [])
    headed = [line for title, entry in under.items() for line in (f"**{title}**", "", *entry)]
    lines[:] = headed + ([f"**{OWN}**", ""] if headed and own else []) + own


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

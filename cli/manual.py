"""The manual pages for ``man``, one for ``bdfa`` and one for each of its commands, from what these declare.

They are written when the package is built (``setup.py``), with Docutils, which a user need not have.
"""

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import click
from docutils import nodes
from docutils.core import publish_from_doctree
from docutils.utils import new_document

from bdfa_np import __version__
from bdfa_np.cli.command import Command, headed_options
from bdfa_np.cli.group import LazyGroup, bdfa
from bdfa_np.cli.outcome import EXIT_CODES, SHARED_CODES
from bdfa_np.runs.store.names import HOLDS
from bdfa_np.system.variables import CACHE_DIR, CONFIG_DIR, DATA_DIR, VARIABLES
from bdfa_np.trust.names import LIST

SECTION = "1"
"""Of the manual: commands of users."""
AS_IT_STANDS = "\b\n"
"""What click has before a paragraph whose lines stay as they are."""
EXAMPLES = "Examples:\n"

Content = Sequence[nodes.Element]


def write_pages(folder: Path) -> list[Path]:
    """Write all pages into a folder, which is made; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for ctx in contexts(bdfa):
        paths.append(folder / f"{page_name(ctx)}.{SECTION}")
        paths[-1].write_text(page(ctx), encoding="utf-8", newline="\n")
    return paths


def contexts(
    command: click.Command, name: str = "bdfa", parent: click.Context | None = None
) -> Iterator[click.Context]:
    """Yield the context of a command, and those of all commands in it."""
    ctx = click.Context(command, info_name=name, parent=parent, **command.context_settings)
    yield ctx
    if isinstance(command, click.Group):
        for below in command.list_commands(ctx):
            found = command.get_command(ctx, below)
            assert found is not None
            yield from contexts(found, below, ctx)


def page_name(ctx: click.Context) -> str:
    """Return what a command's page is called, as ``bdfa-study-run``."""
    return ctx.command_path.replace(" ", "-")


def page(ctx: click.Context) -> str:
    """Return a command's page in the language of ``man``.

    The date is left out, so that one source makes one page; the version stands in the footer.
    """
    summary = ctx.command.get_short_help_str(limit=1000).rstrip(".")
    document = new_document(page_name(ctx))
    document += nodes.title("", page_name(ctx))
    document += nodes.subtitle("", summary[:1].lower() + summary[1:])
    fields = {"manual_section": SECTION, "manual_group": "bdfa-np"}
    document += nodes.docinfo(
        "",
        nodes.version("", __version__),
        *(nodes.field("", nodes.field_name("", name), nodes.field_body("", text(is_))) for name, is_ in fields.items()),
    )
    for title, content in sections(ctx):
        if content:
            document += nodes.section("", nodes.title("", title), *content)
    written = publish_from_doctree(document, writer="manpage", settings_overrides={"output_encoding": "unicode"})
    return finished(str(written))


def finished(written: str) -> str:
    """Return what Docutils has written, set as manuals are.

    Sections are in capitals, names of options and data sets are not taken apart at the end of a line, and spaces stay
    single. Examples stand no further right than text. Between an option's spellings there is a space, and a line may
    end between its values, of which some fill more than one.
    """
    written = re.sub(r"^\.SH .*", lambda line: f".SH {line[0][4:].upper()}", written, flags=re.MULTILINE)
    written = re.sub(r"^(\.TH .*\n)", r"\1.nh\n.ad l\n", written, flags=re.MULTILINE)
    written = written.replace(".INDENT 3.5\n.sp\n.EX", ".INDENT 0.0\n.sp\n.EX").replace(r"\fP,\fB  ", r"\fP,\ \fB")
    return re.sub(r"^\.BI .*", lambda line: line[0].replace("|", r"|\:"), written, flags=re.MULTILINE)


def sections(ctx: click.Context) -> Iterator[tuple[str, Content]]:
    """Yield the titles of a page's sections, in the order that manuals have, and what is in each."""
    command = ctx.command
    epilog = list(paragraphs(command.epilog or ""))
    yield "Synopsis", [synopsis(ctx)]
    yield "Description", [text(paragraph) for paragraph in paragraphs(command.help or "")]
    if isinstance(command, LazyGroup):
        pages = {
            title: {f"{page_name(ctx)}-{name}({SECTION})": command.summary(ctx, name) for name in names}
            for title, names in command.headings.items()
        }
        yield "Commands", under({title: definitions(summaries) for title, summaries in pages.items()})
    yield "Options", under({title: options(records) for title, records in headed_options(ctx).items()})
    yield "Examples", [part for paragraph in epilog if EXAMPLES in paragraph for part in examples(paragraph)]
    others = [paragraph for paragraph in epilog if not re.search(r"^(Examples|Exit codes):", paragraph, re.MULTILINE)]
    yield "Notes", [part for paragraph in others for part in note(paragraph)]
    codes = command.exit_codes if isinstance(command, Command) else EXIT_CODES if ctx.parent is None else SHARED_CODES
    yield "Exit status", [definitions({str(code): f"{what[:1].upper()}{what[1:]}." for code, what in codes.items()})]
    yield "Environment", environment(ctx)
    yield "Files", files(ctx)
    yield "See also", see_also(ctx)


def synopsis(ctx: click.Context) -> nodes.Element:
    """Return how a command is called."""
    pieces: list[nodes.Node] = [nodes.strong("", ctx.command_path)]
    for piece in ctx.command.collect_usage_pieces(ctx):
        pieces += [nodes.Text(" "), nodes.emphasis("", piece)]
    return nodes.paragraph("", "", *pieces)


def under(lists: Mapping[str, nodes.Element]) -> Content:
    """Return lists under their titles; one alone has no title."""
    if len(lists) == 1:
        return [*lists.values()]
    return [nodes.section("", nodes.title("", title), content) for title, content in lists.items()]


def options(records: Iterable[tuple[str, str]]) -> nodes.Element:
    """Return options, each given as its spellings with values, and its help."""
    found = nodes.option_list()
    for term, meaning in records:
        *spellings, last = term.split(", ")
        last, _, value = last.partition(" ")
        group = nodes.option_group("", *(nodes.option("", nodes.option_string("", one)) for one in (*spellings, last)))
        if value:
            group[-1] += nodes.option_argument("", value.replace(" ", "\N{NO-BREAK SPACE}"), delimiter=" ")
        found += nodes.option_list_item("", group, nodes.description("", text(meaning)))
    return found


def definitions(meanings: Mapping[str, str]) -> nodes.Element:
    """Return terms and what they mean."""
    return nodes.definition_list(
        "",
        *(
            nodes.definition_list_item("", nodes.term("", term), nodes.definition("", text(meaning)))
            for term, meaning in meanings.items()
        ),
    )


def examples(paragraph: str) -> Iterator[nodes.Element]:
    """Yield the lines of a paragraph of examples, each with what it is for where that is said, and what follows."""
    lines = paragraph.partition(EXAMPLES)[2].splitlines()
    commands = [line.strip() for line in lines if line.startswith(" ")]
    if any("  " in command for command in commands):
        parts = (command.partition("  ") for command in commands)
        yield definitions({command: why.strip() for command, _, why in parts})
    else:
        yield nodes.literal_block("", "\n".join(commands))
    if len(lines) > len(commands):
        yield text(" ".join(lines[len(commands) :]))


def note(paragraph: str) -> Iterator[nodes.Element]:
    """Yield a paragraph of an epilog; of one whose lines stay as they are, its first line and the table below it."""
    if AS_IT_STANDS not in paragraph:
        yield text(paragraph)
        return
    title, *rows = paragraph.partition(AS_IT_STANDS)[2].splitlines()
    yield text(title)
    yield definitions(dict(row.split(maxsplit=1) for row in rows))


def environment(ctx: click.Context) -> Content:
    """Return the variables that a command reads; of ``bdfa`` itself, all."""
    has = {parameter.name for parameter in ctx.command.params}
    read = [variable for variable in VARIABLES if ctx.parent is None or variable.option in has]
    return [definitions({variable.name: variable.meaning for variable in read})] if read else []


def files(ctx: click.Context) -> Content:
    """Return the files that there are, of ``bdfa`` itself: of a run, and of the user."""
    if ctx.parent is not None:
        return []
    users = {
        f"{DATA_DIR.instead_of}/": "Data sets that were fetched.",
        f"{CACHE_DIR.instead_of}/": "Prepared data; bdfa data clear removes them.",
        f"{CONFIG_DIR.instead_of}/{LIST}": "The Python files of nets and rules that are run unasked.",
    }
    return under(
        {
            "Of a run, in its folder": definitions(HOLDS),
            "Of a user, on Linux; bdfa info says where they are": definitions(users),
        }
    )


def see_also(ctx: click.Context) -> Content:
    """Return the pages above a command's, and those of the commands that stand under one heading with it."""
    if ctx.parent is None:
        return []
    above, beside = [], []
    group = ctx.parent.command
    if isinstance(group, LazyGroup):
        (names,) = (names for names in group.headings.values() if ctx.info_name in names)
        beside = [f"{page_name(ctx.parent)}-{name}" for name in names if name != ctx.info_name]
    parent: click.Context | None = ctx.parent
    while parent is not None:
        above.append(page_name(parent))
        parent = parent.parent
    return [text(", ".join(f"{name}({SECTION})" for name in [*above[::-1], *beside]))]


def paragraphs(written: str) -> Iterator[str]:
    """Yield the paragraphs of a help text or an epilog."""
    for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(written)):
        if paragraph.strip():
            yield paragraph


def text(paragraph: str) -> nodes.Element:
    """Return a paragraph."""
    return nodes.paragraph("", " ".join(paragraph.split()))

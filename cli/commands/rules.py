"""``bdfa rules``: the learning rules that there are, and what one of them says of itself."""

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from bdfa_np.cli.command import Command
from bdfa_np.cli.declared import options_table, wrapped
from bdfa_np.cli.options import debug_option
from bdfa_np.cli.values import RuleName
from bdfa_np.declaration import flag
from bdfa_np.errors import ExtensionError
from bdfa_np.extensions import held, offered
from bdfa_np.rules import GROUPS, RULES
from bdfa_np.rules.find import GROUP

if TYPE_CHECKING:
    from bdfa_np.rules.description import Description

WIDEST = 100
"""Columns beyond which lines are hard to read, however wide the terminal is."""


@click.command(
    cls=Command,
    epilog="""\b
Examples:
  bdfa rules
  bdfa rules ebd
  bdfa rules ./my_rule.py""",
)
@click.argument("name", required=False, type=RuleName(), metavar="[NAME|PATH]")
@debug_option
def rules(name: str | None) -> None:
    """List the learning rules, and what hidden layers learn from.

    Each has the signal of a hidden layer, what learns, and where errors come from. Of one, by its NAME or the PATH of a
    file of your own, which is run: its description, its options, its file.

    W, B and R are weights and feedback, h a layer's activity, a what goes into its non-linearity f; e is the error
    of the output, t the target, δ the signal. Layer 1 is the lowest.
    """
    width = min(shutil.get_terminal_size().columns, WIDEST)
    for line in listing(width) if name is None else shown(name, width):
        click.echo(line)


def listing(width: int) -> Iterator[str]:
    """Yield the list of all rules, in lines of at most a width."""
    from bdfa_np.rules.description import describe_rule

    indent = " " * (2 + max(map(len, RULES)) + 2)
    for group, title in GROUPS.items():
        yield from (wrapped(title, width), "")
        for name, rule in RULES.items():
            if rule.group == group:
                yield from _entry(describe_rule(name), width, indent)
    others = [name for name in offered(GROUP) if name not in RULES]
    if others:
        yield from ("From other distributions", "")
    for name in others:
        try:
            yield from _entry(describe_rule(name), width, indent)
        except ExtensionError as error:
            yield from (_begun(name, str(error), width, indent), "")
    yield wrapped(
        "bdfa rules NAME shows one with its options; bdfa train --gradient takes a file of your own too", width
    )


def _entry(of: "Description", width: int, indent: str) -> Iterator[str]:
    """Yield what is said of a rule in the list; what it does not say has no line."""
    yield _begun(of.name, of.line, width, indent)
    learns = [f"trains {of.trains}"] if of.trains else []
    learns += [f"errors from {of.errors_from}"] if of.errors_from else []
    for text in (of.formula, "; ".join(learns), of.source):
        if text:
            yield wrapped(text, width, indent, indent + "  ")
    yield ""


def _begun(name: str, text: str, width: int, indent: str) -> str:
    return wrapped(text, width, f"  {name}".ljust(len(indent) - 1) + " ", indent)


def shown(name: str, width: int) -> Iterator[str]:
    """Yield what there is to say of one rule, in lines of at most a width where they are not a path.

    Raises
    ------
    ExtensionError
        If there is no such rule, or it cannot be loaded.
    """
    from bdfa_np.options.catalogue import own_options
    from bdfa_np.options.config import Config
    from bdfa_np.rules.description import describe_rule
    from bdfa_np.trust.gate import named

    with held(named(Config(gradient=name))):  # what is typed may be run, and is read once
        of = describe_rule(name)
        own = own_options(name)
    rule = of.rule
    yield from (wrapped(f"{of.name}: {of.summary}" if of.summary else of.name, width), "")
    weights = "may start at zero" if rule.starts_at_zero else "must not start at zero"
    said = {
        "signal": of.formula,
        "trains": of.trains,
        "errors from": of.errors_from,
        "nets": "fully connected ones alone" if rule.fully_connected_only else "",
        "weights": weights,
        "source": of.source,
    }
    for title, text in said.items():
        if text:
            yield wrapped(text, width, f"{title}:".ljust(13))
    yield f"{'file:':13}{of.file}"
    if of.text:
        yield from ("", *_reflowed(of.text, width))
    yield ""
    if not rule.options:
        yield "options: none of its own"
        return
    table = options_table(rule.options, rule.name, lambda one: f"-O {one}=" if one in own else flag(one))
    yield table.to_text(width)


def _reflowed(text: str, width: int) -> Iterator[str]:
    """Yield a text's paragraphs in lines of at most a width; what is indented, formulas, keeps its lines."""
    for number, paragraph in enumerate(text.split("\n\n")):
        if number:
            yield ""
        if paragraph.startswith(" "):
            yield from (wrapped(line.strip(), width, "    ", "        ") for line in paragraph.splitlines())
        else:
            yield wrapped(" ".join(paragraph.split()), width)

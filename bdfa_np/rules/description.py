"""What a rule says of itself, for people: of a rule from outside, what it says and no other for it."""

import inspect
import re
from dataclasses import dataclass, replace
from pathlib import Path

from bdfa_np.extensions import file_of
from bdfa_np.representation import one_line
from bdfa_np.rules.base import Rule
from bdfa_np.rules.find import find_rule
from bdfa_np.rules.pathways import Pathway

_SECTION = re.compile(r"\n\n?(\w+)\n-+\n")
"""How a section of a docstring begins."""
_LEARNING = {"train_feedback", "trained", "before_training", "after_step"}
"""The methods by which feedback learns."""
_SENDING = {"signal", "inject"}
_WALKING = {"visit", "walk", "matrix"}


@dataclass(frozen=True)
class Description:
    """A rule in words; what it does not say is empty.

    Attributes
    ----------
    name : str
        By which ``--gradient`` knows it.
    rule : type of Rule
        The class.
    summary, formula, trains, errors_from, source : str
        As `Rule` has them.
    """

    name: str
    rule: type[Rule]
    summary: str
    formula: str
    trains: str
    errors_from: str
    source: str

    def __repr__(self) -> str:
        """Return the name and the formula."""
        return one_line(self, [self.name, self.formula])

    @property
    def line(self) -> str:
        """Its summary; of a rule that gives none, the first paragraph of its documentation."""
        return self.summary or " ".join(self.text.split("\n\n")[0].split())

    @property
    def file(self) -> Path:
        """Where the class is written."""
        return file_of(self.rule)

    @property
    def text(self) -> str:
        """The class's own documentation up to its parameters, and its notes, as plain text; empty where it has none."""
        pieces = _SECTION.split(inspect.cleandoc(vars(self.rule).get("__doc__") or ""))
        sections = dict(zip(pieces[1::2], pieces[2::2], strict=True))
        paragraphs = [pieces[0].strip(), sections.get("Notes", "").strip()]
        return "\n\n".join(paragraph for paragraph in paragraphs if paragraph).replace("::", ":").replace("`", "")


def describe_rule(name: str) -> Description:
    """Return what the rule of a name says of itself.

    Raises
    ------
    ExtensionError
        If there is no such rule, or it cannot be loaded.
    """
    rule = find_rule(name)
    said = [_said(rule, attribute) for attribute in ("summary", "formula", "trains", "errors_from", "source")]
    return Description(name, rule, *said)


def pathways_of(rule: type[Rule]) -> tuple[Pathway, ...]:
    """Return the ways that signals take under a rule.

    They are those that it declares or inherits. What a rule from outside inherits is not said of what it writes anew:
    where it changes how feedback learns, inherited ``B`` are trained; where it sends another signal, that is ``s``;
    where it has another matrix, that is ``V``, and nobody says of what kind.
    """
    declares = next(kind for kind in rule.__mro__ if "pathways" in vars(kind))
    below = rule.__mro__[: rule.__mro__.index(declares)]
    anew = {name for kind in below if not _is_ours(kind) for name in vars(kind)}
    declared: tuple[Pathway, ...] = vars(declares)["pathways"]
    return tuple(_amended(pathway, anew) for pathway in declared)


def _amended(pathway: Pathway, anew: set[str]) -> Pathway:
    if pathway.trains_feedback:
        return pathway
    through = pathway.through
    if anew & _WALKING:
        through = tuple(replace(matrix, symbol="V", kind="", learns_from="") for matrix in through)
    elif anew & _LEARNING:
        through = tuple(
            replace(matrix, kind="trained" if matrix.kind == "fixed" else matrix.kind) for matrix in through
        )
    return replace(pathway, through=through, start="s" if anew & _SENDING else pathway.start)


def _said(rule: type[Rule], attribute: str) -> str:
    """Return what a rule says; one from outside is not described by the rule of the package that it derives from."""
    kinds = rule.__mro__ if _is_ours(rule) else [kind for kind in rule.__mro__ if not _is_ours(kind)]
    return next((str(vars(kind)[attribute]) for kind in kinds if attribute in vars(kind)), "")


def _is_ours(kind: type) -> bool:
    return kind.__module__.startswith("bdfa_np.")

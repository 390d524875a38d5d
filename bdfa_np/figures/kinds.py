"""Which kinds of pictures there are; none is drawn, nor matplotlib or NumPy imported, before one is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bdfa_np.figures.views import Subject


@dataclass(frozen=True)
class Kind:
    """A kind of picture: a module of this package with a function of its name.

    Attributes
    ----------
    summary : str
        What it shows, in a few words.
    needs : str
        What a run must have for it, beside an epoch done; empty where that is enough.
    one_run : bool
        Whether it is of a single run.
    is_film : bool
        Whether it moves, and is written and shown in other ways.
    """

    summary: str
    needs: str = ""
    one_run: bool = False
    is_film: bool = False


KINDS = {
    "curves": Kind("training and tested error by epoch"),
    "confusion": Kind("for which class samples of each class were taken"),
    "angles": Kind("each layer's signal and the exact gradient", "--track alignment"),
    "norms": Kind("norms of h, δ, W, B and updates by layer", "--track all"),
    "rank": Kind("effective rank of δ and h by layer", "--track rank"),
    "features": Kind("what the lowest layer's units look at"),
    "feedback": Kind("what the feedback weights say of the input"),
    "digits": Kind("what a net draws from labels alone", "--gradient bfa"),
    "errors": Kind("the images that are got most wrong, with both names"),
    "embedding": Kind("samples in two dimensions: the input, and the last hidden layer"),
    "film": Kind("features, angles and errors as they change: GIF, MP4", "--track all", is_film=True),
}
"""By what ``--what`` calls them."""


def function_of(kind: str) -> Callable[..., Any]:
    """Return what draws a kind of picture."""
    found: Callable[..., Any] = getattr(import_module(f"bdfa_np.figures.{kind}"), kind)
    return found


def draw(kind: str, subjects: Sequence[Subject], **options: Any) -> Figure:
    """Draw a kind of picture.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    subjects : sequence of Subject
        What it is of.
    **options
        As its function takes them.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    UserError
        If the runs have not what it shows, in one line.
    """
    drawn = function_of(kind)(subjects, **options)
    found: Figure = drawn if hasattr(drawn, "savefig") else drawn.get_figure(root=True)
    return found

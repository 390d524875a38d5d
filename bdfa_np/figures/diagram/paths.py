"""The ways that signals take through a net under a rule: forward, the error, and what the feedback learns from."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from bdfa_np.figures import style
from bdfa_np.figures.diagram.routes import Drawing
from bdfa_np.figures.diagram.scene import Scene
from bdfa_np.rules.base import Rule
from bdfa_np.rules.description import pathways_of
from bdfa_np.rules.find import find_rule

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH = 5.6
"""Inches, at which symbols have the size of a page's text."""
_MARGIN = 0.08


def paths(rule: str | type[Rule] | Rule, *, axes: Axes | None = None, width: float | None = None) -> Axes:
    """Draw the ways that signals take under a learning rule, in a net with two hidden layers.

    Forward is black and whole, the error red and dashed, and what the feedback learns from blue and dotted. Matrices
    that are trained are rounded with a thick edge, those that stay as they were drawn are grey. Everything comes from
    what the rule declares in its ``pathways``, so that a rule of one's own has its picture too: `Pathway` says how.

    Parameters
    ----------
    rule : str, type of Rule or Rule
        As ``--gradient`` takes it, a class, or a rule of a net.
    axes : matplotlib.axes.Axes, optional
        Where to draw, without the legend; a new figure unless given.
    width : float, default 5.6
        Of a new figure, in inches.

    Returns
    -------
    Axes
        Its units are inches at the default width. Boxes and matrices are `FancyBboxPatch`, and texts are symbols.

    Raises
    ------
    ConfigError
        If matplotlib is missing.
    ExtensionError
        If there is no such rule, or it cannot be loaded.

    Examples
    --------
    >>> from bdfa_np import figures
    >>> figures.paths("bdfa")  # doctest: +SKIP
    """
    style.check_drawing()
    kind = find_rule(rule) if isinstance(rule, str) else rule if isinstance(rule, type) else type(rule)
    with nullcontext() if axes is not None else style.applied(width or WIDTH):
        return _drawn(kind, axes, width or WIDTH)


def _drawn(rule: type[Rule], axes: Axes | None, width: float) -> Axes:
    into = style.figure(width, width / 2).add_subplot() if axes is None else axes
    room = width if axes is None else style.figure_of(into).get_figwidth() * into.get_position().width
    scene = Scene(into, room / WIDTH)
    Drawing(scene, pathways_of(rule)).draw()
    left, right, bottom, top = scene.limits()
    middle, wide = (left + right) / 2, max(right - left, WIDTH - 2 * _MARGIN)
    into.set_xlim(middle - wide / 2 - _MARGIN, middle + wide / 2 + _MARGIN)
    into.set_ylim(bottom - _MARGIN, top + _MARGIN)
    into.set_aspect("equal")
    into.set_axis_off()
    if axes is None:
        whole = style.figure_of(into)
        whole.set_figheight((top - bottom + 2 * _MARGIN) * scene.scale + 0.1)
        style.legend(into, scene.legend_handles())
    return into

"""What makes a function that draws subjects take whatever a notebook has of a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import wraps
from typing import Any, TypeVar

from bdfa_np.figures import style
from bdfa_np.figures.subjects import subjects

Drawn = TypeVar("Drawn")


def of_runs(draw: Callable[..., Drawn]) -> Callable[..., Drawn]:
    """Let a function whose first argument is a list of subjects take runs as well.

    It may then be called with one or more run folders, studies, results of `bdfa_np.train`, subjects or lists of these,
    and with ``cells``, ``labels``, ``epochs`` and ``trust`` as `bdfa_np.figures.subjects.subjects` has them. It draws
    in the project's style, in a figure ``width`` inches wide; given axes it draws there, as they are.
    """

    @wraps(draw)
    def drawn(
        *runs: Any,
        cells: str | Sequence[str] = (),
        labels: str | Sequence[str] = (),
        epochs: int | None = None,
        trust: bool = False,
        width: float | None = None,
        **options: Any,
    ) -> Drawn:
        style.check_drawing()
        found = subjects(*runs, cells=cells, labels=labels, epochs=epochs, trust=trust)
        with nullcontext() if options.get("axes") is not None else style.applied(width):
            return draw(found, **options)

    return drawn

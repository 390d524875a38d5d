"""The ways that signals take through a net under a rule: what a rule declares, and pictures and pages show."""

from __future__ import annotations

from dataclasses import dataclass

from bdfa_np.representation import one_line

COURSES = ("down", "direct", "lowest", "up", "none")
KINDS = ("fixed", "trained", "forward", "signs", "")


@dataclass(frozen=True)
class FeedbackMatrix:
    """A matrix that a signal passes, one for each layer.

    Parameters
    ----------
    symbol : str
        As in the papers, without the layer's number and the sign of a transpose: ``B``.
    kind : {"fixed", "trained", "forward", "signs", ""}, default ""
        ``fixed`` as it was drawn; ``trained`` by what the rule has for it; ``forward``: the weights W themselves;
        ``signs``: made of the signs that W has; empty where nobody says.
    learns_from : str, default ""
        What stands at the other end of the arrow that changes it: an activity or a signal of a pathway, or the weights,
        with the layer counted from the matrix's own ``l``, for example ``W_l`` or ``h_{l-1}``.
    by : str, default ""
        What that arrow brings: ``dW``.
    transposed : bool, default False
        Whether the signal passes the transposed matrix.

    Raises
    ------
    ValueError
        If there is no such kind.
    """

    symbol: str
    kind: str = ""
    learns_from: str = ""
    by: str = ""
    transposed: bool = False

    def __post_init__(self) -> None:
        """Refuse a kind that there is not."""
        if self.kind not in KINDS:
            raise ValueError(f"unknown kind of matrix {self.kind!r}: choose from {', '.join(filter(None, KINDS))}")

    def __repr__(self) -> str:
        """Return the symbol, and what kind it is."""
        return one_line(self, [self.symbol, self.kind])


@dataclass(frozen=True)
class Pathway:
    """A way that a signal takes through a net.

    Parameters
    ----------
    course : {"down", "direct", "lowest", "up", "none"}
        ``down`` from each layer to the one below, ``direct`` from where it starts to every hidden layer at once,
        ``lowest`` to the lowest hidden layer alone, ``up`` from each layer to the one above. ``none``: hidden layers
        get no signal, and do not learn.
    through : tuple of FeedbackMatrix, default ()
        The matrices that it passes from one place to the next, in its order; none where nobody says.
    start : str, default "e"
        What enters: ``e``, ``sign(e)``, ``-t``.
    signal : str, default "δ"
        What arrives at a layer.
    trains_feedback : bool, default False
        Whether it is there for the feedback to learn; else for the weights.
    beside : str, default ""
        What the arriving signal is held against: ``h``, each layer's activity, or ``x``, the input.
    end : str, default ""
        What it comes to, where that has a symbol of its own: ``x̂``.

    Raises
    ------
    ValueError
        If there is no such course, or nothing to be held against.
    """

    course: str
    through: tuple[FeedbackMatrix, ...] = ()
    start: str = "e"
    signal: str = "δ"
    trains_feedback: bool = False
    beside: str = ""
    end: str = ""

    def __post_init__(self) -> None:
        """Refuse a course that there is not, and what no signal is held against."""
        if self.course not in COURSES:
            raise ValueError(f"unknown course {self.course!r}: choose from {', '.join(COURSES)}")
        if self.beside not in ("", "h", "x"):
            raise ValueError(f"a signal is held against 'h' or 'x', not {self.beside!r}")

    def __repr__(self) -> str:
        """Return what goes which way, and through what."""
        symbols = [matrix.symbol for matrix in self.through]
        passed = f"through {' and '.join(symbols)}" if symbols else ""
        return one_line(self, [f"{self.signal} {self.course}", f"from {self.start}", passed])


Pathways = tuple[Pathway, ...]
"""What a rule declares."""

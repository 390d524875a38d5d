"""Where the boxes and lines of a rule's pathways go, in a net with two hidden layers."""

from __future__ import annotations

from collections.abc import Sequence

from bdfa_np.figures.diagram.scene import BOX, ERROR, FEEDBACK, FORWARD, MATRIX, Line, Point, Scene
from bdfa_np.rules.pathways import FeedbackMatrix, Pathway

HIDDEN = 2
OUTPUT = HIDDEN + 1
"""Its column; the input has 0."""
_APART = 1.2
"""From one column to the next, in inches, as all lengths here."""
_TARGET = OUTPUT + 0.75
"""The column of the target."""
_FORWARD, _ERROR = 0.0, -0.92
"""The heights of rows."""
_RISE = 0.92
_TO_MATRIX, _TO_BUS = 0.52, 1.0
"""From a signal to the matrix by which it arrives, and to the line that brings it to all."""
_ASIDE = 0.33
_ENDS = 0.26
"""What is seen of a line before and after several matrices."""


class Drawing:
    """The pathways of a rule on their way into a scene.

    Parameters
    ----------
    scene : Scene
        Where they are drawn.
    pathways : sequence of Pathway
        Of one rule.
    """

    def __init__(self, scene: Scene, pathways: Sequence[Pathway]) -> None:
        self.scene = scene
        self.pathways = pathways
        self.hidden_learn = all(pathway.course != "none" for pathway in pathways)
        self.places: dict[tuple[str, int], Point] = {}
        """Of what has been drawn, by symbol and layer."""

    def draw(self) -> None:
        """Draw the net, and then each pathway: those that train feedback above it, each in a row of its own."""
        self._net()
        above = [pathway for pathway in self.pathways if pathway.trains_feedback]
        rows = {id(pathway): _RISE * number for number, pathway in enumerate(reversed(above), start=1)}
        for pathway in reversed(self.pathways):
            if pathway.course != "none":
                self._pathway(pathway, rows.get(id(pathway), _ERROR))
        for pathway in above:
            if pathway.course == "up" and pathway.beside:
                self._difference(pathway, [pathway.beside, *(one.end for one in above if one.course == "down")])

    def _difference(self, pathway: Pathway, symbols: Sequence[str]) -> None:
        """Draw of what, at the input, a pathway's first signal is the difference."""
        at = self.places.get((pathway.signal, 0))
        for text in symbols:
            other = self.places.get((text, 0))
            if at is not None and other is not None:
                side = 1 if other[1] < at[1] else -1
                self.scene.line([_edge(other, 0, side), _edge(at, 0, -side)], FEEDBACK)

    def _net(self) -> None:
        scene = self.scene
        for layer, text in enumerate(("x", *["h"] * HIDDEN, "o")):
            self._place(text, layer, (layer * _APART, _FORWARD), numbered=text == "h")
            if layer:
                kind = "trained" if layer == OUTPUT or self.hidden_learn else "fixed"
                self._between(layer, [FeedbackMatrix("W", kind)], _FORWARD, FORWARD, towards=1)
        self._place("e", OUTPUT, (OUTPUT * _APART, _ERROR), numbered=False)
        self._place("t", OUTPUT, (_TARGET * _APART, _ERROR), numbered=False)
        scene.line([_edge(self.places["o", OUTPUT], 0, -1), _edge(self.places["e", OUTPUT], 0, 1)], FORWARD)
        scene.line([_edge(self.places["t", OUTPUT], -1, 0), _edge(self.places["e", OUTPUT], 1, 0)], FORWARD)

    def _place(self, text: str, layer: int, at: Point, *, numbered: bool = True) -> None:
        """Draw a box of the net or of a signal, unless it has its place already."""
        if (text, layer) not in self.places:
            self.places[text, layer] = self.scene.box(at, text, layer if numbered else None)

    def _pathway(self, pathway: Pathway, row: float) -> None:
        line = FEEDBACK if pathway.trains_feedback else ERROR
        if pathway.course == "down":
            self._down(pathway, row, line)
        elif pathway.course == "up":
            self._up(pathway, row, line)
        else:
            self._direct(pathway, row, line)
        if not pathway.trains_feedback:
            for layer in range(1, HIDDEN + 1):
                signal = self.places.get((pathway.signal, layer))
                if signal is not None:
                    self.scene.line([_edge(signal, 0, 1), _edge(self.places["h", layer], 0, -1)], line)

    def _down(self, pathway: Pathway, row: float, line: Line) -> None:
        start = self._source(pathway, row)
        lowest = 0 if pathway.end else 1
        for layer in range(OUTPUT, lowest, -1):
            text, number = (pathway.end, None) if layer == 1 and pathway.end else (pathway.signal, layer - 1)
            at = ((layer - 1) * _APART, row)
            self.places[pathway.signal, layer - 1] = self.places[text, layer - 1] = self.scene.box(at, text, number)
            after = self.places.get((pathway.signal, layer), start)
            self._between(layer, pathway.through, row, line, towards=-1, start=after)
            self._learn(pathway, layer, layer - 0.5, row)
        if pathway.start not in ("e", "Y"):
            self.scene.note(((OUTPUT - 0.5) * _APART, row - 0.26), pathway.start)

    def _up(self, pathway: Pathway, row: float, line: Line) -> None:
        _, _, number = pathway.start.partition("_")
        lowest = int(number) if number.isdigit() else 1
        highest = OUTPUT if pathway.end else HIDDEN
        for layer in range(lowest, highest + 1):
            if (pathway.signal, layer) not in self.places:
                text, index = (pathway.end, None) if layer == OUTPUT else (pathway.signal, layer)
                self.places[pathway.signal, layer] = self.scene.box((layer * _APART, row), text, index)
            if layer > lowest:
                self._between(layer, pathway.through, row, line, towards=1)

    def _direct(self, pathway: Pathway, row: float, line: Line) -> None:
        """Draw a line past all layers, from which each takes the signal through its matrix."""
        side = 1 if pathway.trains_feedback else -1
        bus = row + side * _TO_BUS
        start = self._source(pathway, row)
        layers = range(1, 2 if pathway.course == "lowest" else OUTPUT)
        self.scene.line([_edge(start, 0, side), (start[0], bus), (_APART, bus)], line, head=False)
        for layer in layers:
            x = layer * _APART
            self._place(pathway.signal, layer, (x, row))
            ends = [(x, bus), *self._chain(pathway, layer, (x, row + side * _TO_MATRIX), line), (x, row)]
            self._along(ends, line, side)
            at, beside = self.places[pathway.signal, layer], self.places.get((pathway.beside, layer))
            if beside is not None and pathway.trains_feedback:
                self.scene.line([_edge(beside, 0, 1), _edge(at, 0, -1)], line, tail=True)
            self._learn(pathway, layer, layer, row + side * _TO_MATRIX)
        if pathway.start not in ("e", "t", "Y"):
            self.scene.note(((OUTPUT - 0.5) * _APART, bus + 0.14), pathway.start)

    def _chain(self, pathway: Pathway, layer: int, at: Point, line: Line) -> list[Point]:
        """Draw the matrices by which a signal arrives from a line that passes all layers; return where they are."""
        for k, matrix in enumerate(pathway.through):
            self._matrix((at[0] + MATRIX[0] * (k - (len(pathway.through) - 1) / 2), at[1]), matrix, layer, line)
        return [at] if pathway.through else []

    def _matrix(self, at: Point, matrix: FeedbackMatrix, layer: int, line: Line, width: float = MATRIX[0]) -> None:
        """Draw a matrix: black if it is the weights, blue if it is feedback that learns, else as what passes it."""
        text = f"{matrix.symbol}ᵀ" if matrix.transposed else matrix.symbol
        kind = "trained" if matrix.kind == "forward" else matrix.kind
        colours = {"forward": FORWARD.colour, "trained": FORWARD.colour if line is FORWARD else FEEDBACK.colour}
        self.scene.matrix(at, text, layer, kind, colour=colours.get(matrix.kind, line.colour), width=width)

    def _along(self, ends: Sequence[Point], line: Line, side: int) -> None:
        """Draw what lies between a line that passes all layers, a matrix, and the signal that arrives."""
        target = ends[-1][0], ends[-1][1] + side * BOX[1] / 2
        if len(ends) == 2:
            self.scene.line([ends[0], target], line)
            return
        (x, y) = ends[1]
        self.scene.line([ends[0], (x, y + side * MATRIX[1] / 2)], line, head=False)
        self.scene.line([(x, y - side * MATRIX[1] / 2), target], line)

    def _source(self, pathway: Pathway, row: float) -> Point:
        """Return where a pathway starts: at the error, at the target, or at what the feedback is taught."""
        if pathway.trains_feedback:
            at = self.scene.box((_TARGET * _APART, row), pathway.start)
            self.scene.line([_edge(self.places["t", OUTPUT], 0, 1), _edge(at, 0, -1)], FORWARD)
            return at
        return self.places["t" if pathway.start.lstrip("-+") == "t" else "e", OUTPUT]

    def _between(
        self,
        layer: int,
        through: Sequence[FeedbackMatrix],
        row: float,
        line: Line,
        *,
        towards: int,
        start: Point | None = None,
    ) -> None:
        """Draw a step between the columns of a layer and of the one below, through matrices, up or down the layers."""
        low, high = (layer - 1) * _APART + BOX[0] / 2, layer * _APART - BOX[0] / 2
        if start is not None:
            high = start[0] - BOX[0] / 2
        middle = (layer - 0.5) * _APART
        first, last = (low, high) if towards > 0 else (high, low)
        width = MATRIX[0] if len(through) < 2 else (_APART - BOX[0] - _ENDS) / len(through)
        for k, matrix in enumerate(through):
            x = middle + towards * width * (k - (len(through) - 1) / 2)
            self.places[f"{matrix.symbol} in {row:g}", layer] = x, row
            self._matrix((x, row), matrix, layer, line, width)
            self.scene.line([(first, row), (x - towards * width / 2, row)], line, head=False)
            first = x + towards * width / 2
        self.scene.line([(first, row), (last, row)], line)

    def _learn(self, pathway: Pathway, layer: int, column: float, row: float) -> None:
        """Draw from where a matrix learns to where it is."""
        for matrix in pathway.through:
            if not matrix.learns_from:
                continue
            text, _, below = matrix.learns_from.partition("_")
            source = self.places.get((text, layer - 1 if "-1" in below else layer))
            weights = self.places.get((f"{text} in {_FORWARD:g}", layer))
            at = self.places.get((f"{matrix.symbol} in {row:g}", layer), (column * _APART, row))
            if weights is not None:
                ends = [(at[0], weights[1] - MATRIX[1] / 2), (at[0], at[1] + MATRIX[1] / 2)]
                note = at[0] + 0.06, (weights[1] + at[1]) / 2
            elif source is None:
                continue
            elif pathway.course == "direct":
                aside = at[0] + _ASIDE
                ends = [(source[0] + 0.12, source[1] - BOX[1] / 2), (source[0] + 0.12, source[1] - BOX[1] / 2 - 0.1)]
                ends += [(aside, ends[-1][1]), (aside, at[1]), (at[0] + MATRIX[0] / 2, at[1])]
                note = aside + 0.06, _ERROR
            else:
                side = 1 if source[1] < at[1] else -1
                ends = [(source[0] + BOX[0] / 2, source[1] + side * BOX[1] / 2), (at[0], at[1] - side * MATRIX[1] / 2)]
                note = (ends[0][0] + ends[1][0]) / 2 + 0.1, (ends[0][1] + ends[1][1]) / 2
            self.scene.line(ends, FEEDBACK)
            if matrix.by:
                self.scene.note(note, matrix.by, None if len(matrix.by) > 3 else layer, beside="left")


def _edge(at: Point, across: int, up: int) -> Point:
    """Return the middle of an edge of a box: to the right or left, or at the top or bottom."""
    return at[0] + across * BOX[0] / 2, at[1] + up * BOX[1] / 2

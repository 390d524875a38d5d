"""Draw the picture at the top of the README, learning.png beside this file: ``python docs/pictures/learning.py``.

Three nets learn the bundled digits, in about a minute. The same version of the package draws the same picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bdfa_np import figures, train
from bdfa_np.figures.style import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

    from bdfa_np.runs.train import TrainingResult

FEEDBACK = {
    "fa": "FA: errors go down\nthrough fixed random weights",
    "dfa": "DFA: the output's error goes\nstraight to each layer",
}
DIGITS = "BFA: feedback that learns\ndraws the digit that a label stands for"


def learn(**options: Any) -> dict[str, TrainingResult]:
    """Train a net by each rule; `options` stand in place of those here."""
    usual = {"dataset": "mnist-5k", "num_hidden": 400, "threads": 1}
    tracked = {"lr": 1e-3, "epochs": 4, "track": "alignment", "track_every": "9steps"}
    results = {rule: train(**{**usual, **tracked, "gradient": rule, **options}) for rule in FEEDBACK}
    return results | {"bfa": train(**{**usual, "lr": 3e-4, "epochs": 15, "gradient": "bfa", **options})}


def draw(results: Mapping[str, TrainingResult]) -> Figure:
    """Return the angles of two rules over time, and the digits that a third one draws."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(9.6, 2.8), layout="constrained")
    left, right = drawn.subfigures(1, 2, width_ratios=(1.15, 1))
    panels = left.subplots(1, 2, sharey=True)
    for axes, (rule, title) in zip(panels, FEEDBACK.items(), strict=True):
        angles(axes, results[rule])
        axes.set_title(title, size=9)
    panels[0].set_ylabel("signal to exact gradient")
    panels[0].legend(frameon=False, fontsize=8, loc="lower left")
    digits(right, results["bfa"])
    return drawn


def angles(axes: Axes, result: TrainingResult) -> None:
    """Draw the angle of each hidden layer's signal to the exact gradient."""
    found = result.diagnostics
    assert found is not None
    hidden = found.angles("signal_angle")[:, :-1]  # of the output layer it is 0 under every rule
    for number, (angle, colour) in enumerate(zip(hidden.T, COLOURS, strict=False), start=1):
        axes.plot(found.epochs, angle, color=colour, label=f"hidden layer {number}")
    axes.axhline(90, color="#666666", linestyle=":", linewidth=1)
    axes.annotate("no relation", (found.epochs[-1], 90), (0, 2), textcoords="offset points", ha="right", size=8)
    axes.set(ylim=(0, 110), yticks=(0, 30, 60, 90), yticklabels=("0°", "30°", "60°", "90°"), xlabel="epoch")
    axes.spines[["top", "right"]].set_visible(False)


def digits(drawn: SubFigure, result: TrainingResult) -> None:
    """Draw what the net generates from each label."""
    images = result.model.rule.generate(np.arange(10))  # type: ignore[attr-defined]
    drawn.suptitle(DIGITS, size=9)
    for number, (axes, image) in enumerate(zip(drawn.subplots(2, 5).flat, images, strict=True)):
        axes.imshow(image[..., 0], cmap="gray", vmin=0, vmax=1)
        axes.set_anchor("S" if number < 5 else "N")
        axes.set_axis_off()


if __name__ == "__main__":
    figures.save(draw(learn()), Path(__file__).with_suffix(".png"))

"""Results as a picture: every ratio with its spread, and the targets."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from report.figures import Finding, Results, Row, quartiles

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {
    "ours / torch": "tab:blue",
    "ours / private": "tab:cyan",
    "ours / biotorch": "tab:green",
    "ours / floor": "tab:orange",
    "ours / plain": "tab:pink",
}
OTHER_COLOUR = "tab:purple"
ROW_INCHES = 0.34
LARGEST = 2.5
"""Larger ratios are drawn at the edge, with their number."""

Line = tuple[str, list[Finding]]
"""A label, and the ratios drawn beside it."""


def kind(finding: Finding) -> str:
    """Return what a ratio is of."""
    return f"{finding.of} / {finding.to}"


def lines_of(row: Row) -> list[Line]:
    """Return a row's ratios that are about this project: those with rivals together, every other by itself."""
    ratios = [finding for finding in row.findings if finding.how == "ratio" and finding.of != "torch"]
    rivals = [finding for finding in ratios if kind(finding) in COLOURS]
    others = [(kind(finding), [finding]) for finding in ratios if kind(finding) not in COLOURS]
    return [*([(row.name, rivals)] if rivals else []), *others]


def draw_line(axes: "Axes", y: float, findings: Sequence[Finding]) -> None:
    """Draw ratios below one another within a line's height."""
    for i, finding in enumerate(findings):
        at = y + (i + 0.5) / len(findings) - 0.5
        colour = COLOURS.get(kind(finding), OTHER_COLOUR)
        lower, upper = quartiles(finding.each)
        axes.plot([min(lower, LARGEST), min(upper, LARGEST)], [at, at], color=colour, linewidth=3, alpha=0.5)
        axes.plot(min(finding.median, LARGEST), at, "o", color=colour, markersize=4)
        if finding.median > LARGEST:
            axes.text(LARGEST - 0.03, at, f"{finding.median:.1f}", fontsize=7, color=colour, ha="right", va="center")
        if finding.target is not None:
            axes.plot(finding.target, at, "|", color=colour, markersize=8, markeredgewidth=1.5)


def draw_group(axes: "Axes", title: str, lines: Sequence[Line]) -> None:
    """Draw a group's lines from the top down."""
    for y, (_, findings) in enumerate(lines):
        draw_line(axes, y, findings)
        axes.axhspan(y - 0.5, y + 0.5, color="0.95" if y % 2 else "1.0", zorder=0)
    axes.axvline(1, color="0.3", linewidth=1)
    axes.set_title(title, loc="left", fontsize=10, fontweight="bold")
    axes.set_yticks(range(len(lines)), [name for name, _ in lines], fontsize=8)
    axes.set_ylim(len(lines) - 0.5, -0.5)
    axes.set_xlim(0, LARGEST * 1.02)
    axes.tick_params(axis="x", labelsize=8)
    axes.tick_params(axis="y", length=0)


def draw_ratios(results: Results, path: Path) -> bool:
    """Draw all ratios into a PNG file; return whether there were any."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot
    from matplotlib.lines import Line2D

    groups: dict[str, list[Line]] = {}
    for row in results.rows:
        if lines_of(row):
            groups.setdefault(row.group, []).extend(lines_of(row))
    if not groups:
        return False
    counts = [len(lines) for lines in groups.values()]
    height = ROW_INCHES * sum(counts) + 0.5 * len(groups) + 1.3
    figure, grid = pyplot.subplots(
        len(groups), figsize=(9, height), height_ratios=counts, squeeze=False, layout="constrained", sharex=True
    )
    for axes, (title, lines) in zip(grid[:, 0], groups.items(), strict=True):
        draw_group(axes, title, lines)
    marks = [Line2D([], [], color=colour, marker="o", label=name) for name, colour in COLOURS.items()]
    marks.append(Line2D([], [], color=OTHER_COLOUR, marker="o", label="as the label says"))
    marks.append(Line2D([], [], color="0.2", marker="|", linestyle="", markersize=9, label="target"))
    figure.legend(handles=marks, loc="outside upper center", ncols=len(marks), fontsize=8, frameon=False)
    grid[-1, 0].set_xlabel("ratio: median and quartiles of all rounds; left of 1, this project is ahead", fontsize=8)
    figure.savefig(path, dpi=150)
    pyplot.close(figure)
    return True

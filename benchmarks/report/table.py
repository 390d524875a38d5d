"""Results as tables on the terminal."""

from collections.abc import Iterator

from report.figures import Finding, Results, Row, quartiles
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

DISTURBED = 0.1
"""The part of the cores that others may use before a row's figures are doubted."""
FACTORS = {"ms": 1e3, "s": 1.0, "MB": 1e-6, "modules": 1.0}


def amount(value: float, unit: str) -> str:
    """Return a figure, stored in seconds or bytes, in the unit in which it is shown."""
    shown = value * FACTORS[unit]
    digits = 0 if unit == "modules" or abs(shown) >= 100 else 1 if abs(shown) >= 10 else 2
    return f"{shown:.{digits}f} {unit}"


def number(value: float, finding: Finding, unit: str) -> str:
    """Return what a comparison came to: a bare ratio, or a figure with its unit."""
    if finding.how != "ratio":
        return amount(value, unit)
    return f"{value:.2f}" if value >= 0.1 else f"{value:.4f}"


def verdict(finding: Finding, unit: str) -> str:
    """Return the target and whether it was reached."""
    if finding.target is None:
        return ""
    factor = 1.0 if finding.how == "ratio" else FACTORS[unit]
    shown = f"<= {finding.target * factor:g}"
    return f"{shown} reached" if finding.reached else f"{shown} [bold red]NOT REACHED[/]"


def lines(row: Row) -> Iterator[tuple[str, ...]]:
    """Yield a row of the table for each comparison, and one for each thing that is missing."""
    medians = row.medians()
    name = row.name
    for finding in row.findings:
        lower, upper = quartiles(finding.each)
        parts = [part for part in (finding.of, finding.to) if part]
        shown = amount(medians[finding.of], row.unit) if finding.how != "value" else ""
        other = amount(medians[finding.to], row.unit) if finding.to else ""
        spread = f"{number(lower, finding, row.unit)} – {number(upper, finding, row.unit)}"
        sign = " - " if finding.how == "difference" else " / "
        yield (
            name,
            sign.join(parts),
            shown,
            other,
            number(finding.median, finding, row.unit),
            spread,
            verdict(finding, row.unit),
        )
        name = ""
    for what in row.left_out:
        yield (name, f"left out: {escape(what)}", "", "", "", "", "")
        name = ""
    for what in row.errors:
        yield (name, f"[bold red]failed[/]: {escape(what)}", "", "", "", "", "")
        name = ""


def show(results: Results, console: Console) -> None:
    """Print a table for each group of rows."""
    for group in dict.fromkeys(row.group for row in results.rows):
        table = Table(title=group, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
        for heading in ("", "compared", "first", "second", "median", "quartiles", "target"):
            table.add_column(heading, justify="right" if heading in ("first", "second", "median") else "left")
        for row in results.rows:
            if row.group == group:
                for cells in lines(row):
                    table.add_row(*cells)
        console.print(table)
    disturbed = [row.name for row in results.rows if (row.disturbance or 0) > DISTURBED]
    if disturbed:
        console.print(
            f"other programs used more than {DISTURBED:.0%} of the cores during {len(disturbed)} rows: measure"
        )
        console.print(f"again when the machine is free: {'; '.join(disturbed)}")
    judged = [finding for row in results.rows for finding in row.findings if finding.target is not None]
    if judged:
        console.print(f"{sum(bool(finding.reached) for finding in judged)} of {len(judged)} targets reached")

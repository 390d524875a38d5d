"""Tables in LaTeX, in which every character is printed as it is."""

import re
import unicodedata
from collections.abc import Sequence

OBEYED = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "`": r"\textasciigrave{}",
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
    "±": r"$\pm$",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "−": "$-$",
    "–": "--",
    "—": "---",
    "…": r"\ldots{}",
    "√": r"$\surd$",
    "∞": r"$\infty$",
    "≤": r"$\le$",
    "≥": r"$\ge$",
    "≠": r"$\ne$",
    "≈": r"$\approx$",
    "→": r"$\to$",
    "∈": r"$\in$",
    "∂": r"$\partial$",
    "∇": r"$\nabla$",
    "∑": r"$\sum$",
    "⊙": r"$\odot$",
    "⊤": r"$\top$",
    "²": r"$^2$",
    "³": r"$^3$",
    "½": r"$\frac12$",
    "°": r"$^\circ$",
    "\N{NO-BREAK SPACE}": "~",
    "\N{NON-BREAKING HYPHEN}": "-",
}
"""What LaTeX would obey, or has no sign for in every font, and how it is told to print it."""

_GREEK = (
    *("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lamda", "mu"),
    *("nu", "xi", "omicron", "pi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega"),
)
_CAPITALS = ("gamma", "delta", "theta", "lamda", "xi", "pi", "sigma", "upsilon", "phi", "psi", "omega")
"""Those with a sign of their own; the others look as Latin ones."""
_LOOKS = dict(zip((name for name in _GREEK if name not in _CAPITALS), "ABEZHIKMNOPTX", strict=True))
_LETTERS = "ıłŁœŒđĐ"
"""Of the letters that are no Latin-1 and no letter with an accent, those of the encoding T1."""
_NUMBER = re.compile(r"[+-](?=[0-9])")
_LIGATURE = re.compile(r"(?<=-)(?=-)|(?<=')(?=')")


def escaped(text: str) -> str:
    """Return a text as LaTeX that prints it; what it has no sign for as its number, as in ``[U+4E2D]``."""
    return "{}".join("".join(map(_printed, part)) for part in _LIGATURE.split(text))


def _printed(sign: str) -> str:
    if sign in OBEYED:
        return OBEYED[sign]
    if sign.isspace():
        return " "
    if sign.isascii() and sign.isprintable():
        return sign
    if sign.isalpha() and (ord(sign) <= 0xFF or sign in _LETTERS or _has_accent(sign)):
        return sign
    greek = re.fullmatch("GREEK (SMALL|CAPITAL) LETTER (.+)", unicodedata.name(unicodedata.normalize("NFKC", sign), ""))
    if greek and greek[2].lower() in _GREEK:
        return _greek(greek[1] == "SMALL", greek[2].lower())
    return f"{{[}}U+{ord(sign):04X}{{]}}"


def _has_accent(sign: str) -> bool:
    parts = unicodedata.normalize("NFD", sign)
    return parts[0].isascii() and len(parts) == 2 and ord(sign) < 0x180


def _greek(small: bool, name: str) -> str:
    command = name.replace("lamda", "lambda")
    if small:
        return "$o$" if name == "omicron" else f"$\\{command}$"
    return f"$\\{command.capitalize()}$" if name in _CAPITALS else rf"$\mathrm{{{_LOOKS[name]}}}$"


def cell(text: str) -> str:
    """Return a cell of a table; the sign of a number is a minus or a plus of mathematics."""
    text = " ".join(text.split())
    if _NUMBER.match(text):
        return f"${text[0]}${escaped(text[1:])}"
    return escaped(text)


def table(
    caption: str,
    columns: Sequence[tuple[str, bool]],
    rows: Sequence[Sequence[str]],
    lines: Sequence[str] = (),
    *,
    groups: int = 0,
) -> str:
    """Return a floating table.

    Parameters
    ----------
    caption : str
        What stands above it.
    columns : sequence of (str, bool)
        The headings, and whether a column stands at the right.
    rows : sequence of sequence of str
        A cell for each heading.
    lines : sequence of str, optional
        What stands below it, a sentence each.
    groups : int, default 0
        How many of the first columns name a row; of more than one, rows of another first label are set apart.
    """
    body = []
    for number, row in enumerate(rows):
        if number and groups > 1 and row[0] != rows[number - 1][0]:
            body.append(r"    \addlinespace")
        body.append(f"    {' & '.join(map(cell, row))} \\\\")
    below = [
        r"  \par\smallskip",
        r"  \begin{minipage}{\linewidth}\footnotesize",
        *(f"    {escaped(line)}\\par" for line in lines),
        r"  \end{minipage}",
    ]
    parts = [
        r"% needs \usepackage{booktabs} and \usepackage[T1]{fontenc}",
        r"\begin{table}",
        r"  \centering",
        f"  \\caption{{{escaped(caption)}}}",
        f"  \\begin{{tabular}}{{{''.join('r' if right else 'l' for _, right in columns)}}}",
        r"    \toprule",
        f"    {' & '.join(cell(title) for title, _ in columns)} \\\\",
        r"    \midrule",
        *body,
        r"    \bottomrule",
        r"  \end{tabular}",
        *(below if lines else []),
        r"\end{table}",
    ]
    return "\n".join(parts) + "\n"

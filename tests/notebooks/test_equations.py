"""Where each of Luo's equations 15 to 42 is computed: a search for ``Luo, eq. 27`` lands there, and in notebook 4."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "docs" / "notebooks" / "4-bidirectional-learning.md"

FORWARD = ("bdfa_np/network.py", "x = layer.forward(x, train)")
GRADIENT = ("bdfa_np/layers/linear.py", "self.weight_gradient(self.x, grad_y, self.dW, self.accumulate)")
LAYERWISE = ("bdfa_np/rules/layerwise/base.py", "return layer.project_feedback(signal, V)")
DIRECT = ("bdfa_np/rules/direct/base.py", "return site.project_feedback(s, B)")
DOWN = ("bdfa_np/rules/layerwise/bfa.py", "g = stage.down(g)")
UP = ("bdfa_np/rules/layerwise/bfa.py", "epsilon = stage.up(epsilon)")
PREDICTED = ("bdfa_np/rules/direct/bdfa.py", "backend.elementwise(miss_of, (s,), (miss,))")
ERROR = ("bdfa_np/losses.py", "error = sigmoid - t")
CROSS_ENTROPY = ("bdfa_np/losses.py", "return sigmoid, error, share * (softplus - t * o)")

LINES = {
    15: CROSS_ENTROPY,
    17: ERROR,
    18: LAYERWISE,
    19: LAYERWISE,
    20: GRADIENT,
    21: GRADIENT,
    22: GRADIENT,
    23: DOWN,
    24: DOWN,
    25: DOWN,
    26: ("bdfa_np/rules/layerwise/bfa.py", "xp.subtract(drawn, self.network.x, out=drawn)"),
    27: UP,
    28: UP,
    29: ("bdfa_np/rules/layerwise/bfa.py", "stage.learn(epsilon)"),
    30: CROSS_ENTROPY,
    31: PREDICTED,
    32: FORWARD,
    33: FORWARD,
    34: ("bdfa_np/losses.py", "sigmoid = maths.where(o >= 0, 1, z) / (1 + z)"),
    35: ERROR,
    36: DIRECT,
    37: DIRECT,
    38: GRADIENT,
    39: ("bdfa_np/rules/direct/bdfa.py", "a_hat = backend.matmul(Y, B, out=backend.lend(h.shape))"),
    40: PREDICTED,
    41: PREDICTED,
    42: ("bdfa_np/rules/direct/bdfa.py", "backend.matmul(scaled.T, h, out=step, accumulate=True)"),
}
"""The file and the code of each. A loop over layers, or one class for all of them, computes several."""

NO_LINE = {
    16: ("bdfa_np/rules/layerwise/bfa.py", "whose value nobody needs: its gradient by ``x̂`` is ``ε_0``"),
}
"""Those that are not computed, and the words that say why: of BFA's feedback loss training needs the gradient alone."""


def found(text: str, equation: int) -> list[str]:
    """Return what stands in each line that names an equation: its code, or that of the line below a comment."""
    lines = text.splitlines()
    named = [number for number, line in enumerate(lines) if re.search(rf"Luo, eq\. {equation}\b", line)]
    return [lines[number + lines[number].lstrip().startswith("#")].split("  # ")[0].strip() for number in named]


def test_every_equation_from_15_to_42_is_listed():
    assert sorted(LINES | NO_LINE) == list(range(15, 43))
    assert not LINES.keys() & NO_LINE.keys()


@pytest.mark.parametrize("equation", LINES)
def test_a_search_for_an_equation_lands_on_the_line_that_computes_it(equation):
    file, code = LINES[equation]
    hits = found((ROOT / file).read_text(encoding="utf-8"), equation)
    assert any(code in hit for hit in hits), hits


@pytest.mark.parametrize("equation", NO_LINE)
def test_an_equation_that_is_not_computed_is_named_where_it_is_said_why(equation):
    file, reason = NO_LINE[equation]
    assert any(reason in hit for hit in found((ROOT / file).read_text(encoding="utf-8"), equation))


@pytest.mark.parametrize("equation", range(15, 43))
def test_notebook_4_shows_each_equation_and_has_a_cell_that_names_it(equation):
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert rf"\tag{{{equation}}}" in text
    cells = re.findall(r"^```\{code-cell\}.*?^```$", text, re.MULTILINE | re.DOTALL)
    assert any(found(cell, equation) for cell in cells)


def test_equations_are_named_in_one_way():
    others = re.compile(r"\bLuo(?:'s)? eq\.|\bLuo,? eq(?:s\.|\. ?\()")
    for folder in ("bdfa_np", "cli", "docs", "tests"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", ".md") and path != Path(__file__):
                assert not others.search(path.read_text(encoding="utf-8")), path

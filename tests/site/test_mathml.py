"""Formulas as MathML: what latex2mathml leaves to do, and what cannot be read."""

from xml.etree.ElementTree import fromstring

import pytest

pytest.importorskip("latex2mathml", reason="formulas are read with the extra 'docs'")
from mathml import mathml

CORE = "{http://www.w3.org/1998/Math/MathML}"


def drawn(latex):
    """Return the tree of a formula on a line of its own."""
    return fromstring(mathml(latex, "block"))


def texts(latex, tag):
    """Return what elements of one kind hold."""
    return ["".join(one.itertext()) for one in drawn(latex).iter(CORE + tag)]


def test_a_formula_is_one_math_element_of_its_kind():
    assert drawn("x").tag == CORE + "math"
    assert drawn("x").get("display") == "block"
    assert fromstring(mathml("x", "inline")).get("display") == "inline"


@pytest.mark.parametrize("environment", ["aligned", "align*", "align", "split"])
def test_lines_are_aligned_at_their_signs(environment):
    tree = drawn(rf"\begin{{{environment}}} a &= b \\ cc &= d \end{{{environment}}}")
    assert [cell.get("class") for cell in tree.iter(CORE + "mtd")] == ["right", "left"] * 2
    assert [table.get("class") for table in tree.iter(CORE + "mtable")] == ["aligned"]
    assert "".join(tree.itertext()) == "a=bcc=d"


def test_columns_of_a_matrix_keep_apart():
    assert [table.get("class") for table in drawn(r"\begin{pmatrix} 1 & 2 \end{pmatrix}").iter(CORE + "mtable")] == [
        None
    ]


def test_lines_one_below_the_other_are_rows():
    assert texts(r"\begin{gathered} a \\ b \end{gathered}", "mtr") == ["a", "b"]


def test_bold_letters_are_letters_of_their_own():
    assert texts(r"\boldsymbol{\delta} \boldsymbol{W} \boldsymbol{a} \boldsymbol{\Delta}", "mi") == ["𝜹", "𝑾", "𝒂", "𝜟"]


def test_a_prime_is_not_raised_twice():
    tree = drawn("f'(a) + g''")
    assert not list(tree.iter(CORE + "msup"))
    assert [one.text for one in tree.iter(CORE + "mo") if one.get("lspace") == "0"] == ["′", "″"]


def test_bars_of_a_norm_do_not_grow():
    assert [one.get("stretchy") for one in drawn(r"\lVert x \rVert_2").iter(CORE + "mo")] == ["false", "false"]


@pytest.mark.parametrize(
    ("latex", "said"),
    [(r"\foo x", r"there is no \foo"), ("{a", "do not pair"), ("a}", "do not pair"), (r"\frac{a", "do not pair")],
)
def test_what_cannot_be_read_is_said(latex, said):
    with pytest.raises(ValueError, match=said.replace("\\", r"\\")):
        mathml(latex, "inline")


def test_escaped_brackets_need_no_partner():
    assert "".join(drawn(r"\{ a").itertext()) == "{a"

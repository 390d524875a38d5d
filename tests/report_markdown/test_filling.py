"""Templates filled in: what placeholders and filters print, and what is refused, in one line with its place."""

import pytest

from bdfa_np.errors import ConfigError
from bdfa_np.report.markdown.cells import Sample
from bdfa_np.report.markdown.filling import decimals, duration, p_value, shown, signed


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2.345678, "2.35"),
        (-0.001, "0.00"),
        (1e9, "1000000000.00"),
        (7, "7"),
        ("a text", "a text"),
        (None, "not run"),
        ((1.0, 2.5), "1.00 to 2.50"),
        (Sample([2.0, 4.0]), "3.00 ± 1.41 (2)"),
        (Sample([5.0, 5.0]), "5.00 ± 0.00 (2)"),
        (Sample([2.0]), "2.00 (1)"),
        (Sample([]), "not run"),
    ],
)
def test_a_placeholder_prints(value, text):
    assert str(shown(value)) == text


@pytest.mark.parametrize(
    ("value", "count", "text"),
    [
        (2.345678, 4, "2.3457"),
        (2.6, 0, "3"),
        (-0.04, 1, "0.0"),
        (3, 1, "3.0"),
        (Sample([2.0, 4.5]), 2, "3.25"),
        ("1.23456", 3, "1.235"),
        ("", 2, "not run"),
        (None, 2, "not run"),
        (Sample([]), 2, "not run"),
    ],
)
def test_decimals_are_of_a_number_a_mean_or_a_number_of_a_table(value, count, text):
    assert decimals(value, count) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((1.5, "+1.50"), (-1.5, "-1.50"), (0.0, "0.00"), (0.001, "0.00"), (-0.001, "0.00"), (0.005001, "+0.01")),
        *((None, "not run"), (Sample([1.0]), "+1.00")),
    ],
)
def test_a_difference_has_its_sign_unless_it_rounds_to_nothing(value, text):
    assert signed(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.05, "0.0500"), (1.0, "1.0000"), (1e-4, "0.0001"), (9.99e-5, "< 0.0001"), (0.0, "< 0.0001"), (None, "unknown")],
)
def test_a_p_value_has_four_decimals(value, text):
    assert p_value(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0.0 s"),
        (9.94, "9.9 s"),
        (10.0, "10 s"),
        (119.4, "119 s"),
        (120.0, "2 min"),
        (119.4 * 60, "119 min"),
        (120 * 60.0, "2 h 00 min"),
        (125 * 60.0, "2 h 05 min"),
        (100 * 3600.0, "100 h 00 min"),
        ("30.5", "30 s"),
        (Sample([60.0, 180.0]), "2 min"),
        (None, "not run"),
        ("", "not run"),
    ],
)
def test_a_duration_has_the_unit_that_suits_it(seconds, text):
    assert duration(seconds) == text


def test_a_page_is_filled_in_from_cells_samples_and_raw_rows(page):
    text = (
        "{% for one in cells('small') %}\n"
        "{{ one }}: {{ one.rule }} {{ one['net'] }} {{ one.last }} of {{ one.seeds }}, {{ one.last.sd|decimals(1) }}\n"
        "{% endfor %}\n"
        "{{ cell('small/bp').last.less(cell('small/bp').published)|signed }}\n"
        "{{ cell('small/bp').last.values|map('decimals', 1)|join(', ') }}\n"
        "{{ recovery(cell('small/dfa').last, cell('small/bp').last, cell('small/frozen').last) }}\n"
        "{{ mean_of(cells('bp')|map(attribute='last')) }} {{ runs[0].last|decimals }} {{ study }}\n"
        "{{ epochs|length }} {{ layers[0].angle }} {{ cell('small/dfa').measured('angle', 'linear1')|decimals(1) }}\n"
        "{{ 'a|b *c*'|literal }}\n"
    )
    assert page(text) == (
        "small/bp: bp small 3.00 ± 1.41 (2) of 2, 1.4\n"
        "small/dfa: dfa small 4.50 ± 2.12 (2) of 2, 2.1\n"
        "small/frozen: frozen small 13.00 ± 1.41 (2) of 2, 1.4\n"
        "-1.25\n2.0, 4.0\n0.85\n4.00 2.00 worked\n22 60.0 62.5\na\\|b \\*c\\*\n"
    )


def test_a_template_takes_in_others_from_its_folder(page):
    text = "{% include 'part.md' %}{% from 'row.md' import row %}{{ row(cell('small/bp')) }}\n"
    files = {
        "part.md": "BP: {{ cell('small/bp').last }}\n",
        "row.md": "{% macro row(one) %}{{ one.last.n }}{% endmacro %}",
    }
    assert page(text, **files) == "BP: 3.00 ± 1.41 (2)\n2\n"


def test_a_picture_is_a_link_into_the_folder_that_markdown_reads(page):
    assert page("{{ picture('curves', 'all nets (1).svg', 'All nets') }}\n") == (
        "![All nets](page/all%20nets%20%281%29.svg)\n"
    )
    same = "{{ picture('curves', 'a.svg', 'A', 'bp') }}"
    assert page(same + same).count("page/a.svg") == 2


FAULTS = {
    "syntax": ("{% for one in cells() %}{{ one }}", "Unexpected end of template"),
    "an expression": ("{{ 1 + }}", "unexpected 'end of print statement'"),
    "a filter": ("{{ 1.0|decimls }}", "No filter named 'decimls'"),
    "a name": ("{{ nothing }}", "'nothing' is undefined"),
    "a figure": (
        "{{ cell('small/bp').lst }}",
        "a cell has no lst: its labels are on net, rule, its figures",
    ),
    "an axis": ("{{ cell('small/bp')['rle'] }}", "a cell has no rle: its labels are on net, rule"),
    "part of a sample": (
        "{{ cell('small/bp').last.men }}",
        "'bdfa_np.report.markdown.cells.Sample object' has no attribute 'men'",
    ),
    "a cell": ("{{ cell('small/bpp').last }}", "there is no cell 'small/bpp': there are small/bp, "),
    "a pattern": ("{{ cells('bpp')|length }}", "no cell fits 'bpp': there are small/bp, "),
    "a layer": (
        "{{ cell('small/dfa').measured('angle', 'x') }}",
        "of small/dfa the layer x was not measured",
    ),
    "a function by itself": ("{{ cell('small/bp').after }}", "a function stands where its value is wanted"),
    "a function's name": ("{{ recovery }}", "a function stands where its value is wanted"),
    "division by zero": ("{{ 1 / (cells()|length - 6) }}", "division by zero"),
    "nothing less something": ("{{ cell('small/dfa').published - 1 }}", "unsupported operand type"),
    "no sample": ("{{ recovery(1.0, 2.0, 3.0) }}", "'float' object has no attribute 'mean'"),
    "text for a number": ("{{ 'abc'|decimals }}", "could not convert string to float: 'abc'"),
    "an include": ("{% include 'none.md' %}", "there is no none.md in "),
    "one of several": ("{% include ['none.md', 'no.md'] %}", "there is no "),
    "an include from elsewhere": ("{% include '../secret.md' %}", "there is no ../secret.md in "),
    "an absolute include": ("{% include '/etc/passwd' %}", "there is no /etc/passwd in "),
    "itself": ("{% include 'text.md.jinja' %}", "maximum recursion depth exceeded"),
    "the classes": (
        "{{ ''.__class__.__mro__ }}",
        "access to attribute '__class__' of 'str' object is unsafe",
    ),
    "the globals": ("{{ cells.__globals__ }}", "access to attribute '__globals__'"),
    "the classes by format": (
        "{{ '{0.__class__}'.format(1) }}",
        "access to attribute '__class__' of 'int'",
    ),
    "inner tables": ("{{ cell('small/bp')._epochs }}", "access to attribute '_epochs' of 'PageCell'"),
    "import": ("{{ import('os') }}", "'import' is undefined"),
    "import by name": ("{{ __import__('os') }}", "'__import__' is undefined"),
    "rows taken away": ("{{ runs.clear() }}", "access to attribute 'clear' of 'list' object is unsafe"),
    "a figure changed": ("{{ runs[0].update(last='0') }}", "access to attribute 'update' of 'dict'"),
    "too long a range": ("{{ range(10**9)|length }}", "Range too big"),
    "a picture elsewhere": (
        "{{ picture('curves', '../x.svg', 'X') }}",
        "the picture ../x.svg would not lie",
    ),
    "an absolute picture": (
        "{{ picture('curves', '/tmp/x.svg', 'X') }}",
        "the picture /tmp/x.svg would not",
    ),
    "a picture in a folder": (
        "{{ picture('curves', 'a/x.svg', 'X') }}",
        "the picture a/x.svg would not lie",
    ),
    "Windows' folders": ("{{ picture('curves', '..\\\\x.svg', 'X') }}", "the picture ..\\x.svg would not"),
    "a drive": ("{{ picture('curves', 'c:x.svg', 'X') }}", "the picture c:x.svg would not lie"),
    "the folder above": ("{{ picture('curves', '..', 'X') }}", "..: a picture is written as "),
    "a table's name": ("{{ picture('curves', 'runs.csv', 'X') }}", "runs.csv: a picture is written as "),
    "a kind": (
        "{{ picture('curve', 'x.svg', 'X') }}",
        "x.svg: there is no picture 'curve': choose from curves",
    ),
    "a film": ("{{ picture('film', 'x.svg', 'X') }}", "x.svg: there is no picture 'film'"),
    "no text for a picture": ("{{ picture('curves', 'x.svg') }}", "_pictures.<locals>.picture() missing 1 required"),
    "cells of a picture": ("{{ picture('curves', 'x.svg', 'X', 'bpp') }}", "no cell fits 'bpp'"),
    "two pictures of a name": (
        "{{ picture('curves', 'x.svg', 'X') }} {{ picture('curves', 'x.svg', 'X', 'bp') }}",
        "two pictures have the file x.svg",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_a_template_is_told_in_one_line_with_its_place(page, fault):
    text, message = FAULTS[fault]
    with pytest.raises(ConfigError) as caught:
        page(f"# A page\n{text}\n")
    told = str(caught.value)
    assert f"text.md.jinja, line 2: {message}" in told
    assert "\n" not in told


def test_a_fault_in_an_included_template_has_that_ones_name_and_line(page):
    for part, message in {
        "\n\n{{ nothing }}": "line 3: 'nothing' is",
        "\n{% if %}": "line 2: Expected an expr",
    }.items():
        with pytest.raises(ConfigError, match=r"part\.md, " + message):
            page("{% include 'part.md' %}", **{"part.md": part})


def test_a_template_that_is_not_utf8_is_named(page, tmp_path):
    (tmp_path / "part.md").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"part\.md cannot be read .*: write it in UTF-8"):
        page("{% include 'part.md' %}")

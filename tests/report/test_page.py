"""``bdfa report``: a page that says what runs have come to, in one file that asks nothing of any network."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from statistics import mean, stdev

import numpy as np
import pytest

from bdfa_np import write_report
from bdfa_np.diagnostics.diagnostics import Diagnostics
from bdfa_np.errors import ConfigError
from bdfa_np.report.material import gathered
from bdfa_np.runs.checkpoint import read_checkpoint, read_history
from bdfa_np.runs.train import TrainingResult

SECTIONS = "what results curves angles norms features feedback confusion worst diagnosis environment repeat"
RULES = ["bp", 'fa </script>"&$x$']
CLASSES = ['<b>"zero"</b> & $x$', "</script><script>alert(1)</script>", "{{ 7 * 7 }}"]


@pytest.fixture(scope="module")
def runs(swept):
    """Give the run folders by rule, by seed."""
    folders = sorted(path.parent for path in swept.glob("studies/sweep/*/*/checkpoint.h5"))
    bp = [path for path in folders if path.parent.name == "bp"]
    return {"bp": bp, RULES[1]: [path for path in folders if path not in bp]}


@pytest.mark.parametrize("name", ["page.pdf", "page"])
def test_a_file_that_no_browser_would_open_is_refused(bdfa, swept, monkeypatch, name):
    monkeypatch.chdir(swept)
    told = bdfa.refused("report", "sweep", "-o", name)
    assert f"{name}: a report is written as .html or .htm: name such a file, which a browser prints to PDF" in told
    assert not (swept / name).exists()


def test_a_result_of_training_is_reported_on_by_its_folder(runs, swept, monkeypatch):
    monkeypatch.chdir(swept)
    kept = TrainingResult(model=None, history=None, folder=runs["bp"][0])
    found = gathered([kept], cells=(), epochs=None, trust=False)
    assert [view.path for view in found.runs] == [kept.folder]
    assert found.again == str(kept.folder)
    for named, message in {
        replace(kept, folder=None): "this run was kept in none: train with save='runs/NAME'",
        (): "nothing is named to report on",
        3: "a int cannot be reported on",
    }.items():
        with pytest.raises(ConfigError, match=message):
            write_report(named, "none.html")


def test_each_part_has_a_section_under_a_heading_and_a_link_to_it(page):
    assert [one.attributes["id"] for one in page.one("main").all("section")] == SECTIONS.split()
    assert [one.attributes["href"] for one in page.one("nav").all("a")] == [f"#{key}" for key in SECTIONS.split()]
    levels = [int(one.tag[1]) for one in page.all() if re.fullmatch("h[1-6]", one.tag)]
    assert levels == [1] + [2] * len(SECTIONS.split())
    ids = [one.attributes["id"] for one in page.all() if "id" in one.attributes]
    assert len(ids) == len(set(ids))
    assert page.one("html").attributes["lang"] == "en"
    assert page.one("title").text == page.one("h1").text == "Two rules <b>&amp; $y$</b>"


def test_the_table_has_what_the_runs_came_to_beside_what_was_published(section, rows_of, runs):
    table = next(section("results").all("table"))
    head, *rows = rows_of(table)
    assert head[:5] == ["rule", "published", "ours", "diff.", "within"]
    found = [100 * read_history(path / "checkpoint.h5")[1][-1].test_error for path in runs["bp"]]
    assert rows[0][:4] == [
        "bp",
        "30.25",
        f"{mean(found):.2f} ± {stdev(found):.2f} (2)",
        f"{mean(found) - 30.25:+.2f}",
    ]
    assert [row[0] for row in rows] == RULES
    ours = next(one for one in table.all("td") if "±" in one.text)
    assert float(ours.attributes["data-value"]) == pytest.approx(mean(found), abs=0.005)


def test_curves_are_of_every_epoch_and_the_table_below_them_has_the_means(page, section, rows_of, runs):
    data = json.loads(page.one("script", id="rows-curves").text)
    assert data["columns"] == ["s", "seed", "epoch", "test", "train"]
    wanted = [
        [place, seed, one.epoch, round(100 * one.test_error, 4), round(100 * one.train_error, 4)]
        for place, rule in enumerate(RULES)
        for seed, path in zip((3, 5), runs[rule], strict=True)
        for one in read_history(path / "checkpoint.h5")[1]
    ]
    assert data["values"] == wanted
    head, _, last = rows_of(next(section("curves").all("table")))
    assert head == ["epoch", *RULES]
    of_last = [mean(row[3] for row in wanted if row[:1] + row[2:3] == [place, 2]) for place in range(2)]
    assert last == ["2", *(f"{error:.2f}" for error in of_last)]


def test_what_was_measured_is_there_by_layer_and_the_rest_says_how_it_is_measured(page, section, rows_of, runs):
    data = json.loads(page.one("script", id="rows-angles").text)
    measured = Diagnostics.read(runs[RULES[1]][0] / "diagnostics.h5")
    at = data["columns"].index("signal_angle")
    mine = [row for row in data["values"] if row[:2] == [1, 3]]
    assert [row[2] for row in mine] == np.repeat(measured.epochs, 2).tolist()
    angles = [np.nan if row[at] is None else row[at] for row in mine]
    np.testing.assert_allclose(angles, measured.angles("signal_angle").ravel(), rtol=1e-3, atol=1e-9)
    boxes = section("angles").one("fieldset", **{"class": "layers"}).all("label")
    assert [box.text for box in boxes] == list(measured.layers)
    rows = rows_of(next(section("angles").all("table")))
    assert [row[:2] for row in rows[1:]] == [[rule, layer] for rule in RULES for layer in measured.layers]
    assert "--track" in section("what").text


def test_the_confusion_matrix_is_a_table_of_shares(section, rows_of, runs):
    tables = [one for one in section("confusion").all("table") if one.attributes["class"] == "matrix"]
    counts = sum(read_checkpoint(path / "checkpoint.h5").confusion for path in runs["bp"])
    head, *rows = rows_of(tables[0])
    assert head == ["true", *CLASSES]
    shares = 100 * counts / counts.sum(axis=1, keepdims=True)
    assert [row[1:] for row in rows] == [[f"{one:.1f}" if one else "" for one in row] for row in shares]
    assert f"error {1 - np.trace(counts) / counts.sum():.2%}" in tables[0].one("caption").text
    assert len(tables) == 2


def test_names_that_look_like_html_are_text(page, text):
    for name in (*CLASSES, *RULES):
        assert name in page.text
    assert not {"i", "b"} & {one.tag for one in page.one("body").all()}
    assert "A note with <script>alert(2)</script> in it." in page.one("section", id="what").text
    scripts = [one for one in page.all("script") if "type" not in one.attributes]
    assert len(scripts) == 2
    assert "49" not in {one.text for one in page.all("td")}


def test_nothing_is_fetched_and_no_script_runs_but_the_pages_own(page, text, addresses):
    outside = [(tag, value) for tag, value in addresses(page) if not value.startswith(("#", "data:"))]
    assert outside == [("a", "https://example.org/a?b=1&c=2")]
    (policy,) = (one.attributes["content"] for one in page.all("meta") if "http-equiv" in one.attributes)
    assert policy.startswith("default-src 'none'; ")
    assert "http" not in policy
    assert "unsafe-eval" not in policy
    allowed = re.search("script-src ([^;]*)", policy)[1].split()
    run = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert allowed == [f"'sha256-{base64.b64encode(hashlib.sha256(one.encode()).digest()).decode()}'" for one in run]
    assert "@import" not in page.one("style").text
    assert "url(" not in page.one("style").text


def test_each_picture_and_chart_says_what_it_shows_and_has_its_numbers_in_a_table(page, section):
    pictures = list(page.all("img"))
    assert len(pictures) >= 6
    assert all(len(one.attributes["alt"]) > 10 for one in pictures)
    assert len({one.attributes["alt"] for one in pictures}) == len(pictures)
    assert all(one.attributes["data-text"] for one in page.all("div", **{"class": "drawn"}))
    assert all(list(section(key).all("table")) for key in ("curves", "angles"))
    (unscripted,) = section("curves").all("noscript")
    assert unscripted.one("img").attributes["src"].startswith("data:image/webp;base64,")
    named = next(section("worst").all("table"))
    names = [[cell.text for cell in row.all("td")] for row in named.one("tbody").all("tr")]
    assert names
    assert all(row[0] in CLASSES and row[1] in CLASSES and row[0] != row[1] for row in names)


def test_the_page_is_small(text):
    assert 5e5 < len(text.encode()) < 3e6

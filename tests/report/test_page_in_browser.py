"""The page in Chromium, through playwright: it fetches nothing, draws, sorts, chooses, prints, and axe-core is content.

``CHROMIUM`` names the browser (by default the one on the path), ``AXE`` the file ``axe.min.js`` of axe-core.
"""

import os
import shutil
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

BROWSER = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
WIDTHS = 400, 800, 1400


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not BROWSER:
        pytest.skip("there is no chromium: name one by the environment variable CHROMIUM")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def visit(browser, swept, text):
    """Give the function that opens the page, and what it asked for and complained of meanwhile."""
    contexts = []

    def opened(width=800, scheme="light", **settings):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, **settings)
        contexts.append(context)
        page, told = context.new_page(), []
        page.on("request", lambda request: told.append(request.url))
        page.on("console", lambda message: told.append(message.text))
        page.on("pageerror", lambda error: told.append(str(error)))
        page.goto((swept / "page.html").as_uri())
        if settings.get("java_script_enabled", True):
            page.wait_for_selector("html[data-drawn]")
        return page, told

    yield opened
    for context in contexts:
        context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_axe_has_no_complaint_and_the_page_is_as_wide_as_its_window(visit, width, scheme):
    axe = os.environ.get("AXE")
    if not axe:
        pytest.skip("name axe-core's axe.min.js by the environment variable AXE")
    page, _ = visit(width, scheme)
    for folded in page.query_selector_all("details"):
        folded.evaluate("one => { one.open = true; }")
    devtools = page.context.new_cdp_session(page)  # the page's own policy would not let axe run
    devtools.send("Runtime.evaluate", {"expression": Path(axe).read_text(encoding="utf-8")})
    call = "axe.run(document).then(found => found.violations.map(one => one.id + ' ' + one.nodes[0].html))"
    found = devtools.send("Runtime.evaluate", {"expression": call, "awaitPromise": True, "returnByValue": True})
    assert found["result"]["value"] == []
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_nothing_is_asked_for_and_nothing_is_complained_of(visit, swept):
    page, told = visit()
    assert [one for one in told if not one.startswith("data:")] == [(swept / "page.html").as_uri()]
    assert page.locator(".panel svg.marks").count() == page.locator(".panel:not([hidden])").count() > 0


def test_a_table_is_sorted_by_a_button(visit):
    page, _ = visit()
    table = page.locator("#results table").first
    ours = table.get_by_role("button", name="ours")
    ours.focus()
    page.keyboard.press("Enter")
    values = table.locator("tbody td:nth-child(3)").evaluate_all("cells => cells.map(one => +one.dataset.value)")
    assert values == sorted(values)
    page.keyboard.press("Enter")
    values = table.locator("tbody td:nth-child(3)").evaluate_all("cells => cells.map(one => +one.dataset.value)")
    assert values == sorted(values, reverse=True)
    assert table.locator("th[aria-sort=descending]").count() == 1
    assert page.locator("#said").text_content() == "sorted by ours, descending"


def test_a_line_that_is_not_wanted_leaves_every_chart(visit):
    page, _ = visit()
    strokes = "#curves .drawn svg .mark-line path"
    assert page.locator(strokes).count() == 2
    page.locator("#angles [data-line='1']").first.uncheck()
    page.wait_for_function(f"document.querySelectorAll({strokes!r}).length === 1")
    assert not page.locator("#curves [data-line='1']").is_checked()


def test_the_axis_may_be_logarithmic_and_the_numbers_those_of_training(visit):
    page, told = visit()
    path = "#curves .drawn svg .mark-line path"
    before = page.locator(path).first.get_attribute("d")
    page.locator("#curves [data-parameter=scale]").select_option("log")
    page.wait_for_function("([path, d]) => document.querySelector(path)?.getAttribute('d') !== d", arg=[path, before])
    between = page.locator(path).first.get_attribute("d")
    page.locator("#curves [data-parameter=part]").select_option("train")
    page.wait_for_function("([path, d]) => document.querySelector(path)?.getAttribute('d') !== d", arg=[path, between])
    assert len(told) == len([one for one in told if one.startswith(("file:", "data:"))])


def test_in_print_all_is_open_and_dark_is_light(visit):
    page, _ = visit(scheme="dark")
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)" != dark
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    assert len(page.pdf(format="A4")) > 10_000


def test_without_scripts_there_is_a_picture_and_no_control_that_does_nothing(visit):
    page, _ = visit(java_script_enabled=False)
    assert page.locator("#curves noscript img").is_visible()
    assert not page.locator("select").first.is_visible()
    assert page.locator("#results table").first.is_visible()

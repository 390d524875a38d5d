"""A page from its sections: one file, which asks nothing of any network."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bdfa_np import __version__
from bdfa_np.report.blocks import Section
from bdfa_np.report.colours import Look, shades

TEMPLATES = Path(__file__).with_name("templates")
_ADDRESS = re.compile(r"https?://[^\s<>\"']*[^\s<>\"'.,;:)\]]")


@dataclass(frozen=True)
class Rows:
    """The data of charts: a list for each row, a third of what a mapping for each would take.

    Attributes
    ----------
    columns : sequence of str
        What each number of a row is.
    values : sequence of sequence
        The rows; None where there is no number.
    """

    columns: Sequence[str]
    values: Sequence[Sequence[float | int | None]]


@dataclass(frozen=True)
class Page:
    """All that a page shows.

    Attributes
    ----------
    kind : str
        Of what it is a report.
    title : str
        Its heading.
    lead : sequence of str
        The sentences below that.
    sections : sequence of Section
        In their order.
    names : sequence of str
        The lines of its charts.
    looks : sequence of Look
        How each of them looks.
    seeds : sequence of int
        Those that a reader may choose from.
    data : dict of str to Rows
        The data of its charts, by name.
    """

    kind: str
    title: str
    lead: Sequence[str]
    sections: Sequence[Section]
    names: Sequence[str]
    looks: Sequence[Look]
    seeds: Sequence[int]
    data: Mapping[str, Rows] = field(default_factory=dict)


def rendered(page: Page) -> str:
    """Return a page as HTML.

    Whatever a user has named is text in it, and its policy lets no script run but its own, by their SHA-256: not even
    a fault in a template would run anybody else's.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES, encoding="utf-8"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"sort_keys": True, "separators": (",", ":"), "ensure_ascii": False}
    environment.filters["tojson"] = _json
    environment.globals["linked"] = _linked
    scripts = [vega(), (TEMPLATES / "page.js").read_text(encoding="utf-8")]
    styled = environment.overlay(autoescape=False).get_template("style.css")
    style = styled.render(looks=page.looks, shades={dark: shades(dark=dark) for dark in (False, True)})
    return environment.get_template("page.html").render(
        page=page,
        version=__version__,
        policy=_policy(scripts),
        style=_raw(style),
        scripts=[_raw(script) for script in scripts],
        **{name: getattr(page, name) for name in Page.__dataclass_fields__},
    )


def vega() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one script, with the interpreter that a policy without eval needs."""
    import altair
    import vl_convert

    major_minor = ".".join(altair.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
    bundle: Any = vl_convert.javascript_bundle  # its types ask for a snippet that its documentation has as optional
    script: str = bundle(vl_version=major_minor)
    return script


def _policy(scripts: Sequence[str]) -> str:
    """Return a content security policy: nothing is fetched, and nothing runs but the page's own scripts."""
    hashes = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{found}'" for found in hashes)
    parts = ["default-src 'none'", f"script-src {allowed}", "style-src 'unsafe-inline'", "img-src data:"]
    return "; ".join([*parts, "base-uri 'none'", "form-action 'none'"])


def _raw(text: str) -> Any:
    """Return a script or a style sheet of our own as it is; nothing in it may end its element."""
    from markupsafe import Markup

    if re.search("</(script|style)|<!--", text, re.IGNORECASE):
        raise ValueError("a script or a style sheet would end its own element")
    return Markup(text)  # noqa: S704 - no text of a user's is in it


def _json(value: Any) -> Any:
    """Return a value as JSON that stands in an element of HTML: no sign in it can end that."""
    from markupsafe import Markup

    plain = value if not isinstance(value, Rows) else {"columns": list(value.columns), "values": list(value.values)}
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)  # noqa: S704 - every sign that HTML obeys is escaped


def _linked(text: str) -> Any:
    """Return a text whose addresses are links, which a reader may follow."""
    from markupsafe import Markup, escape

    parts, end = [], 0
    for found in _ADDRESS.finditer(text):
        parts += [escape(text[end : found.start()]), Markup('<a href="{0}" rel="noreferrer">{0}</a>').format(found[0])]
        end = found.end()
    return Markup("").join([*parts, escape(text[end:])])

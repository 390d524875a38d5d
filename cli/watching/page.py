"""A run as a page: its figures as text and tables, curves and angles as pictures within it."""

from __future__ import annotations

import base64
import io
import json
from html import escape
from string import Template
from typing import TYPE_CHECKING

from bdfa_np.cli.watching.told import Angles, angle_text, angles_of, figures, heading, standing
from bdfa_np.runs.history import lowest
from bdfa_np.runs.listing.watching import Sight
from bdfa_np.system.text import counted

if TYPE_CHECKING:
    from bdfa_np.figures.views import Subject

REFRESH_SECONDS = 2
"""From one question of the page to the next."""
SIZE, NARROW = (5.0, 3.0), (3.5, 2.8)
"""Inches of a picture, which is shown as wide as the page has room; a narrow one on a telephone, or its text would be
too small to read."""

_PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<link rel="icon" href="data:,">
<style>
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.3rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; }
#standing { font-weight: 600; }
figure { margin: 1.5rem 0; }
img { width: 100%; max-width: 45rem; height: auto; }
.scrolled { overflow-x: auto; }
table { border-collapse: collapse; min-width: 18rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding-bottom: 0.3rem; }
th, td { text-align: right; padding: 0.15rem 0.8rem; border-bottom: 1px solid #8888; }
th:first-child { text-align: left; padding-left: 0; }
@media (prefers-color-scheme: dark) {
  body { background: #121212; color: #e8e8e8; }
  img { filter: invert(0.93) hue-rotate(180deg); }
}
</style>
</head>
<body>
<main>
<h1>$title</h1>
<p id="standing" role="status">$standing</p>
<div id="seen">$seen</div>
</main>
<script>
let version = $version;
async function look() {
  const standing = document.getElementById("standing");
  try {
    const answer = await (await fetch("/state?since=" + version)).json();
    if (answer.version !== version) {
      version = answer.version;
      document.title = answer.title;
      document.querySelector("h1").textContent = answer.title;
      standing.textContent = answer.standing;
      document.getElementById("seen").innerHTML = answer.seen;
    }
    if (answer.over) return;
  } catch (error) {
    standing.textContent += " (bdfa watch has ended: this is what was seen last)";
    return;
  }
  setTimeout(look, $milliseconds);
}
setTimeout(look, $milliseconds);
</script>
</body>
</html>
""")


class Page:
    """What the page shows: made anew when there is something new.

    Parameters
    ----------
    sight : Sight
        How the run stands.
    version : int
        Rises with each that is made.
    """

    def __init__(self, sight: Sight, version: int) -> None:
        self.version = version
        self.is_over = sight.is_over
        self._shown = {"title": heading(sight), "standing": standing(sight), "seen": _seen(sight)}

    def html(self) -> str:
        """Return the whole page."""
        title, said = escape(self._shown["title"]), escape(self._shown["standing"])
        return _PAGE.substitute(
            title=title,
            standing=said,
            seen=self._shown["seen"],
            version=self.version,
            milliseconds=1000 * REFRESH_SECONDS,
        )

    def state(self, since: str) -> str:
        """Return, as JSON, what an open page has to be told that says which version it has seen."""
        news = self._shown if since != str(self.version) else {}
        return json.dumps({"version": self.version, "over": self.is_over, **news})


def _seen(sight: Sight) -> str:
    """Return the pictures and the table, as HTML."""
    if not sight.history:
        return "<p>Errors are there after the first epoch.</p>"
    from bdfa_np.figures.views import RunView, Subject

    assert sight.config is not None
    run = RunView(sight.path, sight.config, sight.history, sight.state == "finished", measured=sight.diagnostics)
    subjects = [Subject(sight.path.name, (run,))]
    parts = [f"<p>{escape(figures(sight))}.</p>", _figure("Errors", _errors_told(sight), "curves", subjects)]
    angles = angles_of(sight.diagnostics)
    if angles is not None:
        parts += [
            _figure("Angles by layer", _angles_told(angles), "angles", subjects, quantity=angles.name),
            _table(angles),
        ]
    return "\n".join(parts)


def _drawn(kind: str, subjects: list[Subject], size: tuple[float, float], **options: str) -> bytes:
    """Return a picture of so many inches as SVG."""
    from bdfa_np.figures import kinds, style

    with style.applied(size[0]):
        figure = kinds.draw(kind, subjects, **options)
        figure.set_size_inches(*size)
        file = io.BytesIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()


def _figure(title: str, told: str, kind: str, subjects: list[Subject], **options: str) -> str:
    """Return a picture under a heading, wide or narrow as there is room, with what it shows in words."""
    wide, narrow = (_source(_drawn(kind, subjects, size, **options), size) for size in (SIZE, NARROW))
    pictures = f'<source media="(max-width: 32rem)" srcset={narrow}><img src={wide} alt="{escape(told)}">'
    return f"<h2>{title}</h2>\n<figure><picture>{pictures}</picture></figure>"


def _source(svg: bytes, size: tuple[float, float]) -> str:
    """Return a picture and its size in pixels, as attributes."""
    width, height = (round(96 * side) for side in size)
    return f'"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}" width="{width}" height="{height}"'


def _errors_told(sight: Sight) -> str:
    """Return what the curves show, for those who cannot see them."""
    assert sight.config is not None
    first, last, best = sight.history[0], sight.history[-1], lowest(sight.history)
    return (
        f"Curves over {counted(len(sight.history), 'epoch')}: the training error goes from {first.train_error:.2%} to "
        f"{last.train_error:.2%}, the {sight.config.tested_on} error from {first.test_error:.2%} to "
        f"{last.test_error:.2%}; it is lowest after epoch {best.epoch}, {best.test_error:.2%}."
    )


def _angles_told(angles: Angles) -> str:
    said = (f"{name} from {angle_text(its[0])} to {angle_text(its[-1])}" for name, its in angles.layers.items())
    return f"Curves of the {angles.title}, by layer: {'; '.join(said)}."


def _table(angles: Angles) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{angle_text(its[0])}</td><td>{angle_text(its[-1])}</td></tr>'
        for name, its in angles.layers.items()
    )
    head = '<tr><th scope="col">layer</th><th scope="col">first</th><th scope="col">last</th></tr>'
    caption = f"<caption>{escape(angles.title)}, last after {counted(angles.steps, 'step')}</caption>"
    return f'<div class="scrolled"><table>{caption}<thead>{head}</thead><tbody>{rows}</tbody></table></div>'

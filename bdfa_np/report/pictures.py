"""Pictures of `bdfa_np.figures` in the page itself."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

from bdfa_np.figures import style
from bdfa_np.figures.kinds import draw
from bdfa_np.figures.subjects import Subject
from bdfa_np.report.blocks import Picture

DPI = 200
"""Of what is stored; it is shown at half of that, for the screens of phones and for print."""
SHOWN_AT = 104


def drawn(kind: str, subjects: Sequence[Subject], text: str, caption: str, **options: Any) -> Picture:
    """Return a picture of a kind as WebP without loss.

    Parameters
    ----------
    kind : str
        One of `bdfa_np.figures.kinds.KINDS`.
    subjects : sequence of Subject
        What it is of.
    text : str
        What it shows, for whoever does not see it.
    caption : str
        What stands below it.
    **options
        As the kind's function takes them.

    Raises
    ------
    UserError
        If the runs have not what it shows, in one line.
    """
    from PIL import Image

    with style.applied():
        figure = draw(kind, list(subjects), **options)
        png = io.BytesIO()
        figure.savefig(png, format="png", dpi=DPI, facecolor="white", metadata={"Software": None})
    with Image.open(png) as opened:
        image = opened.convert("RGB")
    webp = io.BytesIO()
    image.save(webp, "WEBP", lossless=True, quality=80, method=4, exact=True)
    width, height = (round(side * SHOWN_AT / DPI) for side in image.size)
    address = f"data:image/webp;base64,{base64.b64encode(webp.getvalue()).decode()}"
    return Picture(address, text, caption, width, height)

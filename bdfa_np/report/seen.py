"""Pictures of what nets have learnt: features, feedback, digits, and the images that they get most wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bdfa_np.errors import UserError
from bdfa_np.figures.subjects import Subject
from bdfa_np.report.blocks import Block, Paragraph, Section
from bdfa_np.report.material import Material
from bdfa_np.report.pictures import drawn, texts_of

MOST = 8
"""Settings of which there are pictures: a page is to stay below 3 MB."""
WITHOUT_FEEDBACK = ("bp", "frozen")
_ARROW = "→"


def features(material: Material) -> Section:
    """Return the section on the weights of the lowest layer."""
    text = "Weights into the units of the lowest layer, each shaped as an input, of {}"
    return Section("features", "What the lowest layer looks at", _pictures(material, "features", text, material.shown))


def feedback(material: Material) -> Section:
    """Return the section on the feedback weights; empty where no rule has any."""
    fitting = [subject for subject in material.shown if subject.config.gradient not in WITHOUT_FEEDBACK]
    text = "What the feedback weights B say of the input, of {}"
    return Section("feedback", "What feedback says of the input", _pictures(material, "feedback", text, fitting))


def digits(material: Material) -> Section:
    """Return the section on what nets of bfa draw from labels; empty where there is no such net."""
    fitting = [subject for subject in material.shown if subject.config.gradient == "bfa"]
    text = "What the net draws from each class, of {}"
    return Section("digits", "What bfa draws from each class", _pictures(material, "digits", text, fitting))


def worst(material: Material) -> Section:
    """Return the section on the images that nets get most wrong."""
    text = "The images that it gets most wrong, of {}; true class and what it was taken for: "
    return Section("worst", "What is got most wrong", _pictures(material, "errors", text, material.shown))


def _pictures(material: Material, kind: str, text: str, subjects: Sequence[Subject]) -> list[Block]:
    """Return a picture of each setting's first seed; where one cannot be drawn, why, each reason once."""
    blocks: list[Block] = []
    reasons: dict[str, list[str]] = {}
    for subject in subjects[:MOST]:
        told = text.format(subject.label)
        try:
            found, figure = drawn(kind, [subject], told, f"{subject.label}, seed {subject.config.seed}")
        except UserError as error:
            reasons.setdefault(str(error).rstrip("."), []).append(subject.label)
            continue
        if kind == "errors":  # whoever does not see them is told the names
            pairs = [" ".join(one.split()) for one in texts_of(figure) if _ARROW in one and "\n" in one]
            found = replace(found, text=told + "; ".join(pairs))
        blocks.append(found)
    several = len(subjects) > 1
    blocks += [
        Paragraph(f"{', '.join(names)}: {reason}." if several else f"{reason}.", "note")
        for reason, names in reasons.items()
    ]
    if len(subjects) > MOST:
        blocks.append(Paragraph(f"Pictures are of the first {MOST} settings; bdfa plot draws the others."))
    return blocks

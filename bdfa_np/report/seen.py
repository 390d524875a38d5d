"""Pictures of what nets have learnt: features, feedback, digits, and the images that they get most wrong."""

from __future__ import annotations

from collections.abc import Sequence

from bdfa_np.errors import UserError
from bdfa_np.figures.subjects import Subject
from bdfa_np.predictions import predictions
from bdfa_np.report.blocks import Block, Cell, Folded, PageTable, Paragraph, Picture, Section
from bdfa_np.report.material import Material
from bdfa_np.report.pictures import drawn

MOST = 8
"""Settings of which there are pictures: a page is to stay below 3 MB."""
WITHOUT_FEEDBACK = ("bp", "frozen")


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
    text = "The images that it gets most wrong, of {}; the table below has the names"
    blocks = _pictures(material, "errors", text, material.shown)
    seen = [block.caption for block in blocks if isinstance(block, Picture)]
    tables = [_most_wrong(subject) for subject in material.shown[:MOST] if _captioned(subject) in seen]
    if tables:
        blocks.append(Folded("The names as tables", tables))
    return Section("worst", "What is got most wrong", blocks)


def _most_wrong(subject: Subject) -> PageTable:
    """Return the images of a picture in words, for whoever does not see it."""
    from bdfa_np.figures.errors import COUNT, most_wrong

    model = subject.runs[0].model()
    _, prepared, labels = subject.runs[0].test_set()
    said = predictions(model.network, model.loss, prepared, model.class_names)
    rows = [
        [
            Cell(f"{place:,}", int(place)),
            Cell(model.class_names[labels[place]]),
            Cell(model.class_names[said.labels[place]]),
            Cell(f"{output:.3f}", output),
        ]
        for place in most_wrong(said, labels)[:COUNT]
        for output in [float(said.outputs[place, said.labels[place]])]
    ]
    caption = f"{_captioned(subject)}: images by their places among the {len(labels):,} tested on, from 0"
    return PageTable(caption, ["image", "true class", "taken for", said.kind], rows, (0, 3))


def _captioned(subject: Subject) -> str:
    return f"{subject.label}, seed {subject.config.seed}"


def _pictures(material: Material, kind: str, text: str, subjects: Sequence[Subject]) -> list[Block]:
    """Return a picture of each setting's first seed; where one cannot be drawn, why, each reason once."""
    blocks: list[Block] = []
    reasons: dict[str, list[str]] = {}
    for subject in subjects[:MOST]:
        try:
            blocks.append(drawn(kind, [subject], text.format(subject.label), _captioned(subject)))
        except UserError as error:
            reasons.setdefault(str(error).rstrip("."), []).append(subject.label)
    several = len(subjects) > 1
    blocks += [
        Paragraph(f"{', '.join(names)}: {reason}." if several else f"{reason}.", "note")
        for reason, names in reasons.items()
    ]
    if len(subjects) > MOST:
        blocks.append(Paragraph(f"Pictures are of the first {MOST} settings; bdfa plot draws the others."))
    return blocks

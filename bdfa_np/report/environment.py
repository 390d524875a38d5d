"""With what runs were trained: versions, machine, backend, threads, seconds, and the data's checksums."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bdfa_np.report.blocks import Block, Cell, Facts, Folded, PageTable, Section
from bdfa_np.report.material import Material
from bdfa_np.system.text import duration
from bdfa_np.trust.gate import NETWORK_DIGEST, RULE_DIGEST


def environment(material: Material) -> Section:
    """Return the section on versions and machines, and on the seconds that each setting took."""
    documents = list(material.documents.values())
    versions = dict.fromkeys(name for document in documents for name in document["versions"])
    facts = [(name, _all(document["versions"].get(name) for document in documents)) for name in versions]
    for name, title in (
        ("machine", "processor"),
        ("system", "system"),
        ("dtype", "precision"),
        (NETWORK_DIGEST, "SHA-256 of the net's file"),
        (RULE_DIGEST, "SHA-256 of the rule's file"),
    ):
        found = _all(document["run"].get(name) for document in documents)
        facts += [(title, found)] if found else []
    seconds = sum(record.seconds for run in material.runs for record in run.history)
    facts.append(("time in all runs", duration(seconds)))
    return Section("environment", "Environment", [Facts(facts), _seconds(material), _data(documents)])


def _seconds(material: Material) -> PageTable:
    rows = []
    for subject in material.subjects:
        epochs = sum(len(run.history) for run in subject.runs)
        seconds = sum(record.seconds for run in subject.runs for record in run.history)
        used = [material.documents[run.name] for run in subject.runs]
        rows.append(
            [
                Cell(subject.label),
                Cell(_all(document["run"].get("backend", "numpy") for document in used)),
                Cell(_all(document["options"].get("threads") for document in used)),
                Cell(f"{epochs:,}", epochs),
                Cell(f"{seconds / epochs:,.2f}", seconds / epochs),
                Cell(f"{seconds:,.0f}", seconds),
            ]
        )
    columns = ["setting", "backend", "threads", "epochs", "s/epoch", "seconds"]
    return PageTable("Seconds of training and testing, all seeds together", columns, rows, (2, 3, 4, 5))


def _data(documents: list[dict[str, Any]]) -> Block:
    described = {repr(document["data"]): document["data"] for document in documents}
    blocks: list[Block] = []
    for data in described.values():
        names = data["class_names"]
        facts = [
            ("parts", str(data.get("parts", ""))),
            ("shape of a sample", " × ".join(map(str, data["input_shape"]))),
            (f"{len(names)} classes", ", ".join(names[:20]) + (", …" if len(names) > 20 else "")),
        ]
        blocks.append(Facts([(name, text) for name, text in facts if text]))
        rows = [[Cell(name), Cell(digest)] for name, digest in data["checksums"].items()]
        blocks.append(PageTable("SHA-256 of the data's files", ["file", "SHA-256"], rows, sortable=False))
    return Folded("The data", blocks)


def _all(values: Iterable[Any]) -> str:
    """Return the values that there are, each once."""
    return " and ".join(dict.fromkeys(str(value) for value in values if value is not None))

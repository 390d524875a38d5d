"""What was run, and how it is run again: settings, those that matter first, and commands."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bdfa_np.networks import NETWORKS
from bdfa_np.options.catalogue import OPTIONS
from bdfa_np.options.config import Config
from bdfa_np.options.machine import CUDA, WHERE
from bdfa_np.options.spelled import words
from bdfa_np.options.usual import is_usual, lines_of
from bdfa_np.report.blocks import Block, Cell, Code, Facts, Folded, Items, PageTable, Paragraph, Section
from bdfa_np.report.material import Material
from bdfa_np.study.description import Study, study_text

OF_THE_MACHINE = {*WHERE, *(option.name for option in CUDA), "visualize", "models_folder"}
"""Options that say where a run computes and where its files are: `bdfa_np.report.environment` tells of these."""
ALWAYS = ("dataset", "network", "gradient", "epochs", "seed")
"""What a command says in any case."""
TOLD = ("dataset", "network", "gradient", "optimization", "lr", "batch_size", "epochs")
"""Settings that are shown in any case, if all have the same."""


def what_was_run(material: Material) -> Section:
    """Return the section on the settings: common ones, those that differ, and all of them folded."""
    configs = [subject.config for subject in material.subjects]
    names = [name for name in OPTIONS if name not in OF_THE_MACHINE and name not in ("seed", "rule_options")]
    differing = [name for name in names if len({repr(getattr(config, name)) for config in configs}) > 1]
    shared = [name for name in names if name not in differing]
    telling = [name for name in shared if name in TOLD or not is_usual(configs[0], name, run_outside=False)]
    blocks: list[Block] = []
    if material.study is not None and material.study.notes:
        blocks.append(Folded("What the source leaves open, and how it was settled", [Items(material.study.notes)]))
    blocks.append(Facts([(OPTIONS[name].flag, _short(name, configs[0])) for name in telling] + _seeds(material)))
    own = [config.rule_options or {} for config in configs]
    declared = list(dict.fromkeys(name for one in own for name in one))
    if differing or declared:
        rows = [
            [
                Cell(subject.label),
                *(_cell(name, subject.config) for name in differing),
                *(_of_rule(one.get(name)) for name in declared),
            ]
            for subject, one in zip(material.subjects, own, strict=True)
        ]
        headings = [OPTIONS[name].flag for name in differing] + [f"-O {name}" for name in declared]
        caption = "Settings in which they differ" if len(configs) > 1 else "Options of its rule"
        blocks.append(PageTable(caption, ["setting", *headings], rows))
    if len(configs) == 1:
        blocks.append(Code(command(configs[0]), "The command"))
    blocks.append(_all_options(configs))
    return Section("what", "What was run", blocks)


def how_to_repeat(material: Material) -> Section:
    """Return the section with the commands."""
    blocks: list[Block] = []
    if material.study is not None:
        name = f"{Path(material.study.name).name}.toml"
        blocks.append(Folded(f"The study's file, {name}", [Code(study_text(material.study), "The study's file")]))
        blocks.append(Paragraph(f"Save the study's file as {name}, and run it:"))
        blocks.append(Code(_study_command(material, material.study, name), "The command that repeats the study"))
        blocks.append(Folded("Each setting by itself", _commands(material)))
    else:
        blocks.append(Paragraph("With the same versions and threads, the same numbers come out to the last bit:"))
        blocks += _commands(material)
    blocks.append(Paragraph("This page, where the runs are:"))
    blocks.append(Code(f"bdfa report {material.again} --output report.html", "The command that makes this page"))
    return Section("repeat", "How to repeat it", blocks)


def command(config: Config) -> str:
    """Return the command that trains a run again: whatever is not as it would be by itself."""
    left_out = OF_THE_MACHINE - {"threads"}
    if config.network not in NETWORKS and not config.network.endswith(".py"):
        left_out = left_out - {"models_folder"}  # in which it was found
    given = {
        name: value
        for name in OPTIONS
        if name not in left_out
        and (value := getattr(config, name)) is not None
        and (name in ALWAYS or not is_usual(config, name, run_outside=False))
    }
    return " ".join(shlex.quote(word) for pair in [["bdfa", "train"], *words(given)] for word in pair)


def _commands(material: Material) -> list[Block]:
    blocks: list[Block] = []
    for subject in material.subjects:
        seeds = [str(run.config.seed) for run in subject.runs]
        others = f"; the other seeds are {', '.join(seeds[1:])}" if len(seeds) > 1 else ""
        if len(material.subjects) > 1 or others:
            blocks.append(Paragraph(f"{subject.label}{others}:"))
        blocks.append(Code(command(subject.config), f"The command of {subject.label}"))
    return blocks


def _study_command(material: Material, study: Study, file: str) -> str:
    seeds = {run.config.seed for run in material.runs}
    parts = ["bdfa", "study", "run", file]
    if seeds == set(study.seeds[: len(seeds)]) and len(seeds) < len(study.seeds):
        parts += ["--seeds", str(len(seeds))]
    again = shlex.split(material.again)[1:]  # cells and epochs
    return " ".join(map(shlex.quote, [*parts, *again]))


def _seeds(material: Material) -> list[tuple[str, str]]:
    seeds = sorted({run.config.seed for run in material.runs})
    return [("--seed", ", ".join(map(str, seeds)) if len(seeds) <= 8 else f"{seeds[0]} to {seeds[-1]}")]


def _all_options(configs: Sequence[Config]) -> Folded:
    """Return every option with its value; of one that differs, every value there is."""
    rows = []
    for name, option in OPTIONS.items():
        if name in ("rule_options", "seed"):
            continue
        values = list(dict.fromkeys(_shown(getattr(config, name)) for config in configs))
        (spelling,) = lines_of(option, None)
        rows.append([Cell(spelling), Cell("; ".join(values)), Cell(option.help)])
    title = f"All {len(rows)} options"
    return Folded(title, [PageTable(title, ["option", "value", "meaning"], rows)])


def _short(name: str, config: Config) -> str:
    return _shown(getattr(config, name))


def _cell(name: str, config: Config) -> Cell:
    return _of_rule(getattr(config, name))


def _of_rule(value: Any) -> Cell:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return Cell("" if value is None else _shown(value), float(value) if is_number else None)


def _shown(value: Any) -> str:
    if value is None:
        return "not given"
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)

"""In a child: the time of commands and of imports in processes of their own, and of getting ready to train."""

import shutil
import subprocess
import sys
from pathlib import Path
from time import perf_counter
from typing import Any


def command_line(options: list[str]) -> list[str]:
    """Return the command ``bdfa`` as it is installed beside this Python, with options.

    Raises
    ------
    FileNotFoundError
        If it is not there.
    """
    script = Path(sys.executable).with_name("bdfa")
    found = str(script) if script.exists() else shutil.which("bdfa")
    if found is None:
        raise FileNotFoundError("there is no command bdfa: install the project with pip")
    return [found, *options]


def seconds_of(command: list[str]) -> float:
    """Return how long a process takes from its start to its end."""
    start = perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 -- commands of this file
    return perf_counter() - start


def modules_imported(options: list[str], package: str) -> int:
    """Return how many modules of a package the command ``bdfa`` imports."""
    command = [sys.executable, "-X", "importtime", *command_line(options)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    names = [line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")]
    return sum(name.partition(".")[0] == package for name in names)


def read_and_build(dataset: str, network: str) -> float:
    """Return the seconds that a run takes to read its data and build its net, once everything is imported.

    Data that need preparing are taken as they were prepared before.
    """
    from bdfa_np import Config, build_model
    from bdfa_np.runs.data import load_run_data

    config = Config(dataset=dataset, network=network, backend="numpy").resolve()
    start = perf_counter()
    data = load_run_data(config)
    build_model(config, data.split.input_shape, len(data.split.class_names))
    return perf_counter() - start


def answer(request: dict[str, Any]) -> dict[str, float]:
    """Do what is asked for, and return its figure."""
    figure = request["figure"]
    if "dataset" in request:
        return {figure: read_and_build(request["dataset"], request["network"])}
    if "modules" in request:
        return {figure: modules_imported(request["bdfa"], request["modules"])}
    command = command_line(request["bdfa"]) if "bdfa" in request else [sys.executable, "-c", request["code"]]
    return {figure: seconds_of(command)}

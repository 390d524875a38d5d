"""In a child: the time of a step of one program."""

import gc
import importlib
import os
from statistics import median
from time import perf_counter
from typing import Any

from measure.jobs import Job, Program

UNTIMED_SECONDS = 0.01
"""Before a turn counts: the caches still hold the program that had the turn before."""
_current: list[Program] = []


def make_program(module: str, job: dict[str, Any]) -> Program:
    """Make a program that uses as many threads as the environment says."""
    if "torch" in module:
        import torch

        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    program: Program = importlib.import_module(module).make(Job(**job))
    return program


def timed_steps(program: Program, seconds: float, at_least: int) -> list[float]:
    """Run a program for a time and for so many steps at least, and return the seconds of each step."""
    found: list[float] = []
    start = last = perf_counter()
    while last - start < seconds or len(found) < at_least:
        program()
        now = perf_counter()
        found.append(now - last)
        last = now
    return found


def answer(request: dict[str, Any]) -> dict[str, float]:
    """Make the program that is asked for, or give it a turn and return its median seconds a step."""
    if "program" in request:
        _current.clear()
        gc.collect()
        _current.append(make_program(request["program"], request["job"]))
        return {}
    program = _current[0]
    timed_steps(program, UNTIMED_SECONDS, 1)
    return {request["figure"]: median(timed_steps(program, request["seconds"], request["steps"]))}

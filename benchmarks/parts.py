"""Where the time of a training step goes, and how it grows with the batch, the width and the depth of ``mlp``.

    python benchmarks/parts.py

Every method of the backend is timed from outside; what is left is Python's own: layers, rules and loops. Times are
means over the steps measured, after some that are not. Let nothing else run meanwhile.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from measure.jobs import Job
from programs.ours import Ours, make

PARTS = {
    "matmul": "products",
    "convolve": "convolutions",
    "convolve_weight_gradient": "convolutions",
    "convolve_input_gradient": "convolutions",
    "max_pool": "pooling",
    "max_pool_gradient": "pooling",
    "add_bias": "elementwise",
    "elementwise": "elementwise",
    "column_sum": "elementwise",
    "row_dots": "elementwise",
}
WIDTHS = (100, 200, 400, 800, 1600, 3200)
BATCHES = (16, 32, 64, 128, 256)
DEPTHS = (1, 2, 3, 4, 6)


class Watch:
    """Adds up the seconds that are spent in functions, each without those that it calls in turn."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._inner: list[float] = []

    def over(self, function: Callable[..., Any], part: str) -> Callable[..., Any]:
        """Return a function that does the same and is watched."""

        def watched(*arguments: Any, **options: Any) -> Any:
            start = perf_counter()
            self._inner.append(0.0)
            try:
                return function(*arguments, **options)
            finally:
                took = perf_counter() - start
                self.seconds[part] += took - self._inner.pop()
                if self._inner:
                    self._inner[-1] += took

        return watched


def shares(job: Job, steps: int) -> dict[str, float]:
    """Return the milliseconds a step that each part takes."""
    program = make(job)
    watch = Watch()
    backend = program.model.network.backend
    plain = backend.elementwise
    for name, part in PARTS.items():
        setattr(backend, name, watch.over(getattr(backend, name), part))
    trainer: Any = program.trainer
    trainer.loss = watch.over(trainer.loss, "loss")
    trainer.optimizer.step = _optimizing(backend, watch, plain, trainer.optimizer.step)
    step = watch.over(program, "Python")
    for _ in range(steps // 4 + 2):
        step()
    watch.seconds.clear()
    for _ in range(steps):
        step()
    return {part: seconds / steps * 1e3 for part, seconds in watch.seconds.items()}


def _optimizing(backend: Any, watch: Watch, plain: Callable[..., None], step: Callable[[], None]) -> Callable[[], None]:
    """Count elementwise work as the optimizer's while it takes its step."""
    usual, update = backend.elementwise, watch.over(plain, "optimizer")

    def run() -> None:
        backend.elementwise = update
        try:
            step()
        finally:
            backend.elementwise = usual

    return run


def milliseconds(program: Ours, seconds: float = 0.6) -> float:
    """Return the median milliseconds of a step."""
    for _ in range(5):
        program()
    found, end = [], perf_counter() + seconds
    while perf_counter() < end:
        start = perf_counter()
        program()
        found.append(perf_counter() - start)
    return median(found) * 1e3


def growth() -> Iterator[tuple[str, int, str, float]]:
    """Yield (what grows, its value, rule, milliseconds a step)."""
    for rule in ("bp", "dfa"):
        job = Job(rule=rule)
        for what, values in (("batch", BATCHES), ("units", WIDTHS), ("layers", DEPTHS)):
            for value in values:
                yield what, value, rule, milliseconds(make(replace(job, **{what: value})))


def main() -> None:
    """Measure, print, and store where asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, help="a JSON file for the figures")
    out = parser.parse_args().out
    jobs = [Job(optimizer=optimizer) for optimizer in ("sgd", "rmsprop", "adam")]
    jobs += [Job(rule="bp"), Job(network="conv", rule="bp"), Job(network="conv")]
    found: dict[str, Any] = {"parts": {}, "growth": []}
    for job in jobs:
        parts = shares(job, 20 if job.network == "conv" else 300)
        whole = sum(parts.values())
        name = f"{job.network} {job.rule} {job.optimizer} {job.batch}"
        found["parts"][name] = parts
        print(f"{name}: {whole:.2f} ms")
        for part, value in sorted(parts.items(), key=lambda item: -item[1]):
            print(f"  {part:<14} {value:7.2f} ms {value / whole:5.0%}")
    for row in growth():
        found["growth"].append(row)
        print(*row[:3], f"{row[3]:.2f} ms")
    if out is not None:
        out.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()

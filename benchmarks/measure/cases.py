"""What is measured: every case, who takes turns in it, what is set against what, and the targets.

The programs are ``ours``, this project with its extra ``fast``, and ``plain`` without; ``torch``, PyTorch by its public
operations, in place and without autograd, but with it under ``bp`` on ``mlp`` and on all nets of `NETS`; ``private``,
PyTorch as fast as we can write it, by operations that it does not document; ``biotorch``, PyTorch as its users write
it, with modules and autograd; ``floor``, the matrix products of a step and nothing else.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal

from measure.jobs import Job

RULES = ("bp", "fa", "dfa", "bfa", "bdfa")
OPTIMIZERS = ("sgd", "rmsprop", "adam")
ALIGNMENT = ("fa", "dfa", "bdfa")
NETS = ("lenet", "resnet20")
"""Nets that are trained under ``bp`` and ``dfa``, against PyTorch's modules."""


@dataclass(frozen=True)
class Target:
    """The largest ratio of a training step's time to a rival's that this project means to reach."""

    at_most: float
    rival: str
    network: str
    layers: int = 2
    batches: tuple[int, ...] = (64,)
    rules: tuple[str, ...] = RULES
    optimizers: tuple[str, ...] = OPTIMIZERS

    def covers(self, job: Job, rival: str) -> bool:
        """Return whether a comparison is one that this target is about."""
        return (
            rival == self.rival
            and job.network == self.network
            and (job.network != "mlp" or job.layers == self.layers)
            and job.batch in self.batches
            and job.rule in self.rules
            and job.optimizer in self.optimizers
        )


TARGETS = (
    Target(0.65, "torch", "mlp", rules=ALIGNMENT, optimizers=("rmsprop", "adam")),
    Target(0.80, "torch", "mlp", rules=ALIGNMENT, optimizers=("rmsprop", "adam"), batches=(128,)),
    Target(0.95, "torch", "mlp", rules=ALIGNMENT, optimizers=("sgd",), batches=(64, 128)),
    Target(0.60, "torch", "mlp", rules=("bp",), optimizers=("rmsprop",)),
    Target(0.55, "biotorch", "mlp", rules=("dfa",), optimizers=("rmsprop",)),
    Target(1.20, "floor", "mlp", optimizers=("sgd",)),
    Target(1.45, "floor", "mlp", optimizers=("rmsprop", "adam")),
    Target(0.80, "torch", "conv", batches=(64, 128)),
    Target(1.00, "torch", "lenet"),
    Target(1.00, "torch", "resnet20"),
)
EPOCH_TO_STEPS = 1.05
DISPLAY_TO_EPOCH = 0.01
FIRST_TO_THIRD_EPOCH = 1.10
MEMORY_TO_TORCH = 0.50
IMPORT_SECONDS = 0.15
READ_AND_BUILD_SECONDS = 1.0


@dataclass(frozen=True)
class Comparison:
    """What is made of two figures of a round; the smaller, the better.

    Attributes
    ----------
    of, to : str
        The figures' names; ``value`` has none to compare to.
    target : float, optional
        The largest median that is wanted.
    how : {"ratio", "difference", "value"}
        ``of / to``, ``of - to``, or ``of`` as it is.
    """

    of: str
    to: str = ""
    target: float | None = None
    how: Literal["ratio", "difference", "value"] = "ratio"


@dataclass(frozen=True)
class Turn:
    """What one process is asked in every round of a case.

    Attributes
    ----------
    child : str
        The process's name: turns of one name share a process, also those of different cases.
    module : str
        The module of this folder that answers in it.
    request : mapping
        What it is asked.
    prepare : mapping, optional
        What it is asked once, at the beginning of a case.
    fresh : bool
        Whether every turn has a new process.
    needs : tuple of str
        Packages without which this turn is left out.
    """

    child: str
    module: str
    request: Mapping[str, Any]
    prepare: Mapping[str, Any] | None = None
    fresh: bool = False
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Case:
    """A row of the report.

    Attributes
    ----------
    name : str
        Words that ``--only`` can pick it by.
    group : str
        The heading under which it is reported.
    unit : {"ms", "s", "MB", "modules"}
        In which its figures are shown; they are stored in seconds, bytes, or as they are.
    turns : tuple of Turn
        In the order in which they are taken.
    comparisons : tuple of Comparison
        What is reported.
    rounds : int
        How often each has its turn.
    warm_up : bool
        Whether there is a first round that does not count.
    """

    name: str
    group: str
    unit: str
    turns: tuple[Turn, ...]
    comparisons: tuple[Comparison, ...]
    rounds: int
    warm_up: bool = True


@dataclass(frozen=True)
class Effort:
    """How long the suite takes over each kind of case."""

    seconds: float
    mlp_rounds: int
    conv_rounds: int
    conv_steps: int
    epoch_images: int
    epoch_rounds: int
    memory_rounds: int
    startup_rounds: int


QUICK = Effort(0.06, 5, 3, 2, 6400, 3, 1, 3)
FULL = Effort(0.10, 7, 4, 2, 19_200, 7, 1, 7)


def target_of(job: Job, rival: str) -> float | None:
    """Return the target of a training step against a rival, or None."""
    return next((target.at_most for target in TARGETS if job.work == "step" and target.covers(job, rival)), None)


def label(job: Job) -> str:
    """Return a job in words."""
    net = f"mlp {job.layers}x{job.units}" if job.network == "mlp" else job.network
    how = f" {job.rule} {job.optimizer}" if job.work == "step" else ""
    return f"{net}{how} {job.batch} {job.work}"


def module_of(program: str, job: Job) -> str:
    """Return the module that holds a program."""
    by_hand = job.network in ("mlp", "conv")
    modules = {
        "torch": f"torch_{job.network}" if by_hand else "torch_nets",
        "private": "torch_private",
        "plain": "ours_plain",
    }
    return f"programs.{modules.get(program, program)}"


def make_request(program: str, job: Job) -> dict[str, Any]:
    """Return what makes a program in a child."""
    return {"program": module_of(program, job), "job": asdict(job)}


def packages_of(program: str) -> tuple[str, ...]:
    """Return the packages that a program cannot do without."""
    return ("torch",) if program in ("torch", "private", "biotorch") else ()


def paired(job: Job, rivals: Sequence[str], effort: Effort) -> Case:
    """Return the case in which this project and its rivals do a job in turn."""
    programs = ("ours", *rivals)
    heavy = job.network in ("conv", "resnet20")
    least = effort.conv_steps if heavy else 5
    turns = tuple(
        Turn(
            program,
            "measure.steps",
            {"figure": program, "seconds": effort.seconds, "steps": least},
            prepare=make_request(program, job),
            needs=packages_of(program),
        )
        for program in programs
    )
    comparisons = [Comparison("ours", rival, target_of(job, rival)) for rival in rivals]
    if "floor" in rivals:
        comparisons += [Comparison("torch", "floor")]
    rounds = effort.conv_rounds if heavy else effort.mlp_rounds
    group = "Training step" if job.work == "step" else "Inference"
    return Case(label(job), group, "ms", turns, tuple(comparisons), rounds)


def rivals_of(job: Job) -> tuple[str, ...]:
    """Return whom this project is compared with in a job."""
    if job.network not in ("mlp", "conv"):
        return ("torch", "plain")
    known_to_biotorch = job.work == "step" and job.rule in ("bp", "fa", "dfa") and job.optimizer == "rmsprop"
    biotorch = known_to_biotorch and (job.network == "mlp" or job.batch == 64)
    usual = job.work == "step" and (job.network == "conv" or job.layers == 2) and job.batch == 64
    return (
        "torch",
        *(["private"] if usual else []),
        *(["biotorch"] if biotorch else []),
        *(["floor"] if job.network == "mlp" else []),
        *(["plain"] if usual and job.rule in ("bp", "dfa") else []),
    )


def step_jobs(quick: bool) -> Iterator[Job]:
    """Yield the jobs of the paired timings."""
    if quick:
        yield from (Job(rule=rule) for rule in ("bp", "dfa", "fa", "bdfa"))
        yield from (Job(rule="dfa", optimizer=optimizer) for optimizer in ("sgd", "adam"))
        yield Job(rule="dfa", batch=128)
        yield Job(work="inference")
        yield from (Job(network=network, rule=rule) for network in ("conv", *NETS) for rule in ("bp", "dfa"))
        return
    sizes = [(layers, batch) for layers in (2, 3) for batch in (64, 128)]
    for layers, batch in sizes:
        for rule in RULES:
            yield from (Job(layers=layers, batch=batch, rule=rule, optimizer=optimizer) for optimizer in OPTIMIZERS)
    yield from (Job(layers=layers, batch=batch, work="inference") for layers, batch in sizes)
    for batch in (64, 128):
        yield from (Job(network="conv", batch=batch, rule=rule) for rule in RULES)
        yield Job(network="conv", batch=batch, work="inference")
    yield from (Job(network=network, rule=rule) for network in NETS for rule in ("bp", "dfa"))


def epoch_cases(effort: Effort) -> Iterator[Case]:
    """Yield whole epochs against the steps in them, and a net's first epoch against its third."""
    images = effort.epoch_images
    figures = ("epoch", "steps", "epoch on a terminal")
    turns = tuple(Turn("epochs", "measure.epochs", {"do": figure, "images": images}) for figure in figures)
    comparisons = (
        Comparison("epoch", "steps", EPOCH_TO_STEPS),
        Comparison("epoch on a terminal", "steps", EPOCH_TO_STEPS),
        Comparison("display", "epoch on a terminal", DISPLAY_TO_EPOCH),
    )
    yield Case("epoch mlp 2x800 dfa rmsprop 64", "Epoch", "ms", turns, comparisons, effort.epoch_rounds)
    first = (Turn("epochs", "measure.epochs", {"do": "first", "images": images}),)
    wanted = (Comparison("first epoch", "third epoch", FIRST_TO_THIRD_EPOCH),)
    yield Case("first-epoch mlp 2x800 dfa rmsprop 64", "Epoch", "ms", first, wanted, effort.epoch_rounds, False)


def memory_cases(quick: bool, effort: Effort) -> Iterator[Case]:
    """Yield the peaks of processes that train, and of those that only import."""
    imports = tuple(
        Turn(name, "measure.memory", {"figure": f"import {name}", "imports": name}, fresh=True, needs=needs)
        for name, needs in (("numpy", ()), ("torch", ("torch",)))
    )
    shown = (Comparison("import numpy", "import torch"),)
    yield Case("memory import", "Peak memory", "MB", imports, shown, effort.memory_rounds, False)
    for network, rule in [("mlp", "dfa")] if quick else [(n, r) for n in ("mlp", "conv") for r in ("bp", "dfa")]:
        job = Job(network=network, rule=rule)
        turns = tuple(
            Turn(
                program,
                "measure.memory",
                {"figure": program, "steps": 50 if network == "mlp" else 6, **make_request(program, job)},
                fresh=True,
                needs=packages_of(program),
            )
            for program in ("ours", "plain", "torch")
        )
        comparisons = tuple(Comparison(program, "torch", MEMORY_TO_TORCH) for program in ("ours", "plain"))
        yield Case(f"memory {label(job)}", "Peak memory", "MB", turns, comparisons, effort.memory_rounds, False)


def startup_cases(effort: Effort) -> Iterator[Case]:
    """Yield the times of commands and imports, and of reading and building."""

    def timed(figure: str, **request: Any) -> Turn:
        return Turn("startup", "measure.startup", {"figure": figure, **request})

    commands = [timed(f"bdfa {option}", bdfa=[option]) for option in ("--version", "--help")]
    counted = [timed(f"numpy by {option}", bdfa=[option], modules="numpy") for option in ("--version", "--help")]
    shown = tuple(Comparison(str(turn.request["figure"]), how="value") for turn in commands)
    yield Case("start-up commands", "Start-up", "ms", tuple(commands), shown, effort.startup_rounds)
    shown = tuple(Comparison(str(turn.request["figure"]), how="value", target=0) for turn in counted)
    yield Case("start-up modules", "Start-up", "modules", tuple(counted), shown, 1, False)
    imports = {
        "python": "pass",
        "import numpy": "import numpy",
        "import bdfa_np": "import bdfa_np",
        "import build_model": "from bdfa_np import Config, build_model",
    }
    turns = [timed(name, code=code) for name, code in imports.items()]
    turns.append(
        Turn("startup", "measure.startup", {"figure": "import torch", "code": "import torch"}, needs=("torch",))
    )
    shown = (
        Comparison("import bdfa_np", "import numpy", IMPORT_SECONDS, "difference"),
        Comparison("import build_model", "import numpy", IMPORT_SECONDS, "difference"),
        Comparison("import build_model", "import torch"),
    )
    yield Case("start-up imports", "Start-up", "ms", tuple(turns), shown, effort.startup_rounds)
    for dataset, network in (("mnist", "mlp"), ("cifar10", "conv")):
        request = {"figure": "read and build", "dataset": dataset, "network": network}
        turn = Turn("startup", "measure.startup", request, fresh=True, needs=(f"data set {dataset}",))
        wanted = (Comparison("read and build", how="value", target=READ_AND_BUILD_SECONDS),)
        yield Case(f"start-up {dataset} {network}", "Start-up", "ms", (turn,), wanted, effort.memory_rounds)


def all_cases(*, quick: bool) -> list[Case]:
    """Return every case, in the order in which they are measured."""
    effort = QUICK if quick else FULL
    found = []
    for job in step_jobs(quick):
        rivals = [rival for rival in rivals_of(job) if not (quick and rival in ("private", "plain"))]
        found.append(paired(job, rivals, effort))
    return [*found, *epoch_cases(effort), *memory_cases(quick, effort), *startup_cases(effort)]


def picked(name: str, patterns: Iterable[str]) -> bool:
    """Return whether a name has, for one of the patterns, a word that fits each of the pattern's words.

    Examples
    --------
    >>> picked("mlp 2x800 bdfa adam 64 step", ["mlp dfa"]), picked("mlp 2x800 bdfa adam 64 step", ["mlp *dfa"])
    (False, True)
    """
    words = name.split()
    return any(
        all(any(fnmatchcase(word, part) for word in words) for part in pattern.lower().split()) for pattern in patterns
    )

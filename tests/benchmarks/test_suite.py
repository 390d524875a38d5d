"""The benchmark suite: its figures on numbers worked by hand, its targets, its processes, its files."""

# ruff: noqa: E402 -- the suite is run as a script, and its modules import one another from its folder
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

FOLDER = Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(FOLDER))

from measure import epochs, memory, startup, steps, turns
from measure.cases import FULL, Case, Comparison, Turn, all_cases, label, paired, picked, target_of
from measure.jobs import Job
from measure.turns import ChildError, Children, take_turns
from report import machine
from report.figures import Finding, Results, Row, compare, quartiles
from report.table import show

from bdfa_np.backend.cpu import compiling


@pytest.fixture(autouse=True)
def compiled_as_usual(monkeypatch: pytest.MonkeyPatch) -> None:
    """Undo what making our program does to the whole process."""
    monkeypatch.setattr(compiling, "COMPILE_AFTER", compiling.COMPILE_AFTER)


ROUNDS = [{"ours": 2.0, "torch": 4.0}, {"ours": 3.0, "torch": 2.0}, {"ours": 1.0, "torch": 8.0}]
FIGURES = """
import os
def answer(request):
    if "log" in request:
        with open(request["log"], "a") as file:
            file.write(request["figure"])
    if "die" in request:
        raise ValueError("a made-up reason")
    if "print" in request:
        print(request["print"])
    return {request["figure"]: float(eval(request.get("value", "1")))}
"""


def finding(*each: float, target: float | None = None) -> Finding:
    return Finding("ours", "torch", "ratio", target, each)


def turn(figure: str, child: str = "", *, fresh: bool = False, needs: tuple[str, ...] = (), **request: str) -> Turn:
    return Turn(child or figure, "made_up", {"figure": figure, **request}, fresh=fresh, needs=needs)


def case(*turns: Turn, rounds: int = 2, warm_up: bool = False) -> Case:
    return Case("made up", "Made up", "s", turns, (Comparison("a", "b", 0.5),), rounds, warm_up)


@pytest.fixture
def children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Children]:
    """Children that can answer as `FIGURES` does."""
    (tmp_path / "made_up.py").write_text(FIGURES)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(turns, "SPIN_SECONDS", 0.0)
    with Children(1, tmp_path) as started:
        yield started


def all_there(need: str) -> str:
    return "" if need else "never"


@pytest.mark.parametrize(
    ("values", "lower", "upper"),
    [([4, 1, 3, 2], 1.75, 3.25), ([1, 2, 3, 4, 5], 2, 4), ([7], 7, 7), ([1, 3], 1.5, 2.5)],
)
def test_quartiles_lie_between_the_values_as_numpy_puts_them(values: list[float], lower: float, upper: float) -> None:
    assert quartiles(values) == (lower, upper)


def test_a_ratio_is_of_two_figures_of_the_same_round_and_not_of_medians() -> None:
    found = compare(Comparison("ours", "torch"), ROUNDS)
    assert found is not None
    assert found.each == (0.5, 1.5, 0.125)
    assert found.median == 0.5  # the medians, 2 and 4, happen to give the same; the next line does not
    assert quartiles(found.each) == (0.3125, 1.0)


def test_a_difference_and_a_value_are_worked_out_round_by_round() -> None:
    difference = compare(Comparison("ours", "torch", how="difference"), ROUNDS)
    value = compare(Comparison("ours", how="value"), ROUNDS)
    assert difference is not None
    assert value is not None
    assert difference.each == (-2, 1, -7)
    assert value.each == (2, 3, 1)


@pytest.mark.parametrize("rounds", [[], [{"ours": 1.0}], [{"ours": 1.0, "torch": 2.0}, {"ours": 1.0}]])
def test_a_comparison_without_one_of_its_figures_in_every_round_is_none(rounds: list[dict[str, float]]) -> None:
    assert compare(Comparison("ours", "torch"), rounds) is None


def test_medians_are_of_the_figures_that_every_round_has() -> None:
    row = Row("row", "group", "s", ({"a": 1.0, "b": 1.0}, {"a": 4.0}, {"a": 2.0}))
    assert row.medians() == {"a": 2.0}
    assert Row("row", "group", "s").medians() == {}


@pytest.mark.parametrize(("target", "reached"), [(0.5, True), (0.49, False), (None, None)])
def test_a_target_is_reached_by_a_median_that_is_at_most_it(target: float | None, reached: bool | None) -> None:
    assert finding(0.9, 0.5, 0.1, target=target).reached is reached


@pytest.mark.parametrize(
    ("job", "rival", "target"),
    [
        *[(Job(rule=rule, optimizer="adam"), "torch", 0.65) for rule in ("dfa", "bdfa", "fa")],
        (Job(rule="dfa"), "torch", 0.65),
        (Job(rule="dfa", batch=128), "torch", 0.80),
        (Job(rule="fa", optimizer="sgd"), "torch", 0.95),
        (Job(rule="fa", optimizer="sgd", batch=128), "torch", 0.95),
        (Job(rule="bp"), "torch", 0.60),
        (Job(rule="bp", optimizer="adam"), "torch", None),
        (Job(rule="bp", batch=128), "torch", None),
        (Job(rule="bfa"), "torch", None),
        (Job(rule="dfa"), "biotorch", 0.55),
        (Job(rule="fa"), "biotorch", None),
        (Job(rule="dfa", optimizer="sgd"), "floor", 1.20),
        (Job(rule="bfa", optimizer="adam"), "floor", 1.45),
        (Job(rule="dfa", batch=128), "floor", None),
        (Job(rule="dfa", layers=3), "torch", None),
        (Job(rule="dfa", work="inference"), "torch", None),
        (Job(network="conv", rule="bp"), "torch", 0.80),
        (Job(network="conv", rule="bfa", batch=128), "torch", 0.80),
        (Job(network="conv", rule="dfa"), "biotorch", None),
    ],
    ids=str,
)
def test_the_target_of_a_step_depends_on_net_batch_rule_optimizer_and_rival(
    job: Job, rival: str, target: float | None
) -> None:
    assert target_of(job, rival) == target


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ("dfa", False),
        ("*dfa", True),
        ("bdfa", True),
        ("64 mlp", True),
        ("MLP", True),
        ("mlp sgd", False),
        ("2x?00", True),
        ("6", False),
    ],
)
def test_a_pattern_picks_a_row_that_has_all_of_its_words(pattern: str, fits: bool) -> None:
    assert picked("mlp 2x800 bdfa adam 64 step", [pattern]) is fits
    assert picked("mlp 2x800 bdfa adam 64 step", ["conv", pattern]) is fits


@pytest.mark.parametrize("quick", [True, False])
def test_every_row_has_a_name_of_its_own_and_a_turn_for_each_of_its_figures(quick: bool) -> None:
    cases = all_cases(quick=quick)
    assert len({row.name for row in cases}) == len(cases)
    for row in (row for row in cases if row.turns[0].module != "measure.epochs"):
        figures = {turn.request["figure"] for turn in row.turns}
        assert {name for item in row.comparisons for name in (item.of, item.to) if name} <= figures


def test_the_full_suite_has_every_rule_optimizer_and_batch_of_mlp() -> None:
    names = {row.name for row in all_cases(quick=False)}
    wanted = {
        label(Job(layers=layers, rule=rule, optimizer=optimizer, batch=batch))
        for layers in (2, 3)
        for rule in ("bp", "fa", "dfa", "bfa", "bdfa")
        for optimizer in ("sgd", "rmsprop", "adam")
        for batch in (64, 128)
    }
    assert len(wanted) == 60
    assert wanted <= names


def test_results_read_back_are_those_that_were_written(tmp_path: Path) -> None:
    row = Row.of_case(case(turn("a"), turn("b")), [{"a": 1.0, "b": 3.0}], ["c: not there"], ["d: died"], 0.25)
    results = Results({"threads": 2, "machine": {"cpu": "x"}}, [row, Row("empty", "group", "MB")])
    results.write(tmp_path / "results.json")
    assert Results.read(tmp_path / "results.json") == results


def test_the_file_holds_the_figures_of_every_round_and_what_was_made_of_them(tmp_path: Path) -> None:
    rounds = [{"a": 1.0, "b": 4.0}, {"a": 3.0, "b": 4.0}]
    Results({}, [Row.of_case(case(turn("a"), turn("b")), rounds)]).write(tmp_path / "results.json")
    (row,) = json.loads((tmp_path / "results.json").read_text())["rows"]
    assert row["rounds"] == rounds
    assert row["medians"] == {"a": 2.0, "b": 4.0}
    (found,) = row["findings"]
    assert (found["median"], found["quartiles"], found["reached"]) == (0.5, [0.375, 0.625], True)
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]


def test_programs_take_turns_and_a_warm_up_round_does_not_count(children: Children, tmp_path: Path) -> None:
    log = str(tmp_path / "log")
    row = take_turns(case(turn("a", log=log, value="2"), turn("b", log=log, value="8"), warm_up=True), children, str)
    assert Path(log).read_text() == "ababab"
    assert row.rounds == ({"a": 2.0, "b": 8.0},) * 2
    assert [found.each for found in row.findings] == [(0.25, 0.25)]


def test_a_program_that_dies_is_named_with_its_last_words_and_the_others_go_on(children: Children) -> None:
    row = take_turns(case(turn("a", die="yes"), turn("b", value="8")), children, all_there)
    assert row.errors == ("a: ValueError: a made-up reason",)
    assert row.rounds == ({"b": 8.0},) * 2
    assert row.findings == ()


def test_a_program_that_dies_in_a_later_round_keeps_the_others_figures_and_makes_no_ratio(
    children: Children, tmp_path: Path
) -> None:
    once = f"open({str(tmp_path / 'once')!r}, 'x') and 2"  # works one time
    row = take_turns(case(turn("a", value=once), turn("b", value="8")), children, all_there)
    assert row.rounds[1] == {"b": 8.0}
    assert row.medians() == {"b": 8.0}
    assert row.findings == ()
    assert row.errors[0].startswith("a: FileExistsError: ")


def test_a_process_that_several_figures_are_from_is_reported_dead_once(children: Children) -> None:
    row = take_turns(case(turn("a", "both", die="yes"), turn("b", "both")), children, all_there)
    assert row.errors == ("both: ValueError: a made-up reason",)
    assert row.rounds == ()


def test_a_program_that_died_is_started_anew_for_the_next_row(children: Children) -> None:
    take_turns(case(turn("a", die="yes"), turn("b")), children, all_there)
    assert take_turns(case(turn("a"), turn("b")), children, all_there).errors == ()


def test_a_program_that_ends_without_a_word_is_reported_with_its_exit_code(children: Children) -> None:
    with pytest.raises(ChildError, match="ended with code 3"):
        children.ask(turn("a"), {"figure": "a", "value": "os._exit(3)"})


def test_a_program_keeps_its_process_unless_its_turns_are_to_be_fresh(children: Children) -> None:
    lasting, fresh = turn("a", value="os.getpid()"), turn("b", value="os.getpid()", fresh=True)
    row = take_turns(case(lasting, fresh), children, all_there)
    again = take_turns(case(lasting, fresh), children, all_there)
    rounds = [*row.rounds, *again.rounds]
    assert len({figures["a"] for figures in rounds}) == 1
    assert len({figures["b"] for figures in rounds}) == 4


def test_what_a_program_prints_is_no_answer(children: Children) -> None:
    assert children.ask(turn("a"), {"figure": "a", "print": '{"a": 5}'}) == {"a": 1.0}


def test_two_modules_never_answer_in_one_process(children: Children, tmp_path: Path) -> None:
    (tmp_path / "other.py").write_text(FIGURES)
    one = turn("a", "ours", value="os.getpid()")
    other = Turn("ours", "other", {"figure": "b", "value": "os.getpid()"})
    (figures, _) = take_turns(case(one, other), children, all_there).rounds
    assert figures["a"] != figures["b"]


@pytest.mark.parametrize("name", ["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"])
def test_a_program_is_told_how_many_threads_it_has(children: Children, name: str) -> None:
    assert children.ask(turn("a"), {"figure": "a", "value": f"os.environ['{name}']"}) == {"a": 1.0}


def test_what_is_not_installed_is_left_out_and_named(children: Children) -> None:
    row = take_turns(case(turn("a"), turn("b", needs=("torch",))), children, lambda need: f"no {need}")
    assert row.left_out == ("b: no torch",)
    assert row.rounds == ({"a": 1.0},) * 2
    assert row.errors == ()


def test_a_row_says_which_part_of_the_cores_others_used(children: Children, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = ((float(i), 4.0 * i) for i in range(100))  # a quarter of what passes is busy
    monkeypatch.setattr(turns, "core_seconds", lambda: next(figures))
    assert take_turns(case(turn("a")), children, all_there).disturbance == 0.25


def test_a_row_says_nothing_of_others_where_the_system_does_not_tell(
    children: Children, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "core_seconds", lambda: (0.0, 0.0))
    assert take_turns(case(turn("a")), children, all_there).disturbance is None


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="only Linux tells how busy its cores are")
def test_busy_seconds_grow_and_are_a_part_of_all() -> None:
    busy, total = machine.core_seconds()
    end = time.process_time() + 0.2
    while time.process_time() < end:
        pass
    busy_later, total_later = machine.core_seconds()
    assert 0 < busy < total
    assert busy < busy_later < total_later


def test_temporary_files_of_programs_lie_in_the_folder_that_is_removed(children: Children, tmp_path: Path) -> None:
    there = f"__import__('tempfile').gettempdir() == {str(tmp_path)!r}"
    assert children.ask(turn("a"), {"figure": "a", "value": there}) == {"a": 1.0}


def test_steps_are_run_for_a_time_and_for_a_number_at_least() -> None:
    calls: list[None] = []
    assert len(steps.timed_steps(lambda: calls.append(None), 0.0, 7)) == 7 == len(calls)
    assert sum(steps.timed_steps(lambda: time.sleep(0.002), 0.02, 1)) >= 0.02


@pytest.mark.parametrize("program", ["ours", "floor"])
def test_a_program_is_made_once_and_timed_by_its_steps(program: str) -> None:
    (made,) = [turn for turn in paired(Job(units=8), ["floor"], FULL).turns if turn.child == program]
    assert made.prepare is not None
    assert steps.answer({**made.prepare, "job": {"units": 8}}) == {}
    (seconds,) = steps.answer({**made.request, "seconds": 0.01}).values()
    assert 0 < seconds < 1


def test_an_epoch_is_timed_from_the_first_batch_asked_for_to_the_end() -> None:
    class Slow:
        def __len__(self) -> int:
            return 2

        def epoch(self, number: int) -> Iterator[tuple[int, int]]:
            for _ in range(2):
                time.sleep(0.01)
                yield number, 0

    source = epochs.TimedSource(Slow())  # type: ignore[arg-type]
    batches = source.epoch(3)
    time.sleep(0.1)
    for number, _ in batches:
        assert number == 3
        time.sleep(0.01)
    assert 0.04 <= source.seconds < 0.1


def test_whole_epochs_and_bare_steps_are_timed_in_the_loop_of_bdfa_train(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("BDFA_DATA_DIR", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    run = epochs.Run(None)
    steps = run.steps()
    first, second = run.epoch(run.plain), run.epoch(run.plain)
    assert first != second  # each was trained
    assert (run.plain.folder.path / "checkpoint.h5").exists()
    assert "epoch 2/2: " in capsys.readouterr().out
    shown = run.epoch_on_a_terminal()
    assert capsys.readouterr().out == ""
    assert run.shown.listener._bar is not None
    assert 0 < shown["display"] < shown["epoch on a terminal"] / 2
    assert min(first, second, shown["epoch on a terminal"]) > steps / 5
    assert run.shown.trainer.progress.epoch == 1


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells a process's own peak")
def test_the_peak_of_memory_of_a_program_has_nothing_of_its_parents(children: Children) -> None:
    block = bytearray(b"x" * 300_000_000)
    imported = Turn("python", "measure.memory", {"figure": "json", "imports": "json"})
    (peak,) = children.ask(imported, imported.request).values()
    assert 1_000_000 < peak < len(block) / 2


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux sets a peak of memory back")
def test_the_peak_of_memory_counts_what_was_given_back_since_it_was_reset() -> None:
    memory.reset_peak()
    before = memory.peak_bytes()
    block = bytearray(b"x" * 50_000_000)
    del block
    assert memory.peak_bytes() - before > 40_000_000
    memory.reset_peak()
    assert memory.peak_bytes() - before < 40_000_000


def test_modules_of_a_package_are_counted_in_the_command_itself() -> None:
    assert startup.modules_imported(["--version"], "click") > 5
    assert startup.modules_imported(["--version"], "clic") == 0


def test_the_table_says_what_was_reached_and_what_was_left_out_or_failed() -> None:
    rows = [
        Row("good", "Group", "ms", ({"ours": 0.001, "torch": 0.002},), (finding(0.5, target=0.65),)),
        Row("slow", "Group", "ms", ({"ours": 0.002, "torch": 0.002},), (finding(1.0, target=0.65),), disturbance=0.5),
        Row("gone", "Group", "ms", left_out=("torch: no [torch]",), errors=("ours: [died]",)),
    ]
    stream = StringIO()
    show(Results({}, rows), Console(file=stream, width=140))
    good, slow, first, second = (
        line for line in stream.getvalue().splitlines() if "ours" in line or "left out" in line
    )
    assert "1.00 ms" in good
    assert "2.00 ms" in good
    assert "<= 0.65 reached" in good
    assert "<= 0.65 NOT REACHED" in slow
    assert "left out: torch: no [torch]" in first
    assert "failed: ours: [died]" in second
    assert "1 of 2 targets reached" in stream.getvalue()
    assert "again when the machine is free: slow\n" in stream.getvalue()


def test_the_picture_is_drawn_where_there_are_ratios(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from report import picture

    assert not picture.draw_ratios(Results({}, [Row("row", "Group", "s")]), tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()
    row = Row("row", "Group", "s", findings=(finding(0.5, 9.0, 9.0, target=0.6),))
    assert picture.draw_ratios(Results({}, [row]), tmp_path / "some.png")
    assert (tmp_path / "some.png").read_bytes().startswith(b"\x89PNG")


def run(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(FOLDER), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **environment})


def test_rows_are_listed_without_measuring_them(tmp_path: Path) -> None:
    done = run("--list", "--quick", "--only", "conv dfa", "--out", str(tmp_path / "out"))
    assert (done.returncode, done.stdout) == (0, "conv dfa rmsprop 64 step\n")
    assert not (tmp_path / "out").exists()


def test_a_pattern_that_no_row_fits_is_a_line_and_exit_code_2() -> None:
    done = run("--only", "perceptron")
    assert done.returncode == 2
    assert "no row fits 'perceptron': --list shows them" in done.stderr


def test_a_run_stores_its_figures_and_where_they_are_from(tmp_path: Path) -> None:
    done = run("--quick", "--only", "start-up modules", "--threads", "1", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "2 of 2 targets reached" in done.stdout
    stored = Results.read(tmp_path / "selected.json")
    assert [row.name for row in stored.rows] == ["start-up modules"]
    assert stored.circumstances["threads"] == 1
    assert stored.circumstances["command"].endswith(f"--only 'start-up modules' --threads 1 --out {tmp_path}")
    assert {"cpu", "cores", "caches", "memory", "system"} <= stored.circumstances["machine"].keys()
    assert {"python", "numpy", "blas", "scipy", "torch"} <= stored.circumstances["versions"].keys()


def test_a_run_in_which_a_program_died_names_the_row_and_exits_with_1(tmp_path: Path) -> None:
    (tmp_path / "mnist").mkdir()
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (tmp_path / "mnist" / f"{name}-ubyte").write_bytes(b"neither images nor labels")
    done = run("--quick", "--only", "start-up mnist", "--out", str(tmp_path / "out"), BDFA_DATA_DIR=str(tmp_path))
    assert done.returncode == 1
    named = [line for line in done.stderr.splitlines() if line.startswith("start-up mnist mlp: startup: ")]
    assert len(named) == 1, done.stderr  # beside it matplotlib may say that it builds its cache of fonts
    assert "Traceback" not in done.stderr
    assert len(Results.read(tmp_path / "out" / "selected.json").rows) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_leaves_what_was_measured_and_exits_with_130(tmp_path: Path, number: signal.Signals) -> None:
    rows = ("--only", "start-up modules", "--only", "start-up imports")
    command = [sys.executable, str(FOLDER), *rows, "--out", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 30
        while not (tmp_path / "selected.json").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted: " in errors
    assert Results.read(tmp_path / "selected.json").rows[0].name == "start-up modules"

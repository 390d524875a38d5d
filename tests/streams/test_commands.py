"""Every command with every stream closed, full, broken, not waiting or of few letters: help, work and mistakes."""

import os
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from bdfa_np import Study, train
from bdfa_np.cli.commands.data import data
from bdfa_np.cli.commands.study import study
from bdfa_np.cli.group import COMMANDS

pytestmark = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")

TRAIN = "train --dataset mnist-5k --num-hidden 3 --train-limit 20 --test-limit 20 --epochs 2 --threads 1"
ONE = """
seeds = 1
[base]
dataset = "mnist-5k"
num_hidden = 3
train_limit = 20
test_limit = 20
epochs = 1
[grid]
gradient = ["bp"]
"""
WORK = {
    "train": f"{TRAIN} --backend numpy --save new",
    "runs": "runs .",
    "compare": "compare run run --all",
    "plot": "plot run -o run.png",
    "watch": "watch run",
    "diagnose": "diagnose run --no-controls",
    "report": "report run --output page.html",
    "study new": "study new -",
    "study list": "study list --no-time",
    "study show": "study show luo-mnist",
    "study run": "study run one.toml --workers 1 --save swept",
    "study table": "study table one.toml --save done",
    "evaluate": "evaluate run",
    "predict": "predict run --dataset mnist-5k --top 2",
    "export": "export run --to npz --force net.npz",
    "rules": "rules",
    "nets": "nets",
    "info": "info",
    "doctor": "doctor",
    "completion": "completion bash",
    "help": "help train",
    "data list": "data list",
    "data fetch": "data fetch mnist-5k",
    "data prepare": "data prepare mnist-5k --train-limit 20",
    "data info": "data info mnist-5k",
    "data show-zca": "data show-zca mnist-5k --png zca.png",
    "data clear": "data clear --yes",
}
SITUATIONS = {
    "input closed": "<&-",
    "output closed": ">&-",
    "error closed": "2>&-",
    "all closed": "<&- >&- 2>&-",
    "output full": ">/dev/full",
    "error full": "2>/dev/full",
    "both full": ">/dev/full 2>/dev/full",
    "output unread": "GONE",
    "error unread": "GONE 2>&1 >out.txt",
    "not waiting": "NOT WAITING",
    "ASCII": "ASCII",
}


def calls():
    """Return every command's help, work and mistake."""
    for name, work in WORK.items():
        yield f"{name}: help", f"{name} --help"
        yield f"{name}: work", work
        yield f"{name}: mistake", f"{name} --no-such-option"
    yield "program: help", "--help"
    yield "program: no command", ""


CALLS = dict(calls())


@dataclass(frozen=True)
class End:
    """How a child ended: its code, and what it printed where that was piped."""

    code: int
    out: str
    err: str


def call(script: Path, folder: Path, arguments: str, situation: str = "") -> End:
    """Call in a child with its streams as a situation has them."""
    redirections = SITUATIONS.get(situation, "")
    environment = os.environ | {"PYTHONWARNINGS": "error", "COLUMNS": "80"}
    ours, output = os.pipe()
    if redirections == "ASCII":
        redirections, environment["PYTHONIOENCODING"] = "", "ascii"
    elif redirections == "NOT WAITING":
        redirections = ""
        os.set_blocking(output, False)
    elif redirections.startswith("GONE"):
        redirections = redirections.removeprefix("GONE")
        os.close(ours)
        ours = -1
    line = f'exec {shlex.quote(str(script))} "$@" {redirections}'
    with subprocess.Popen(
        ["sh", "-c", line, "sh", *shlex.split(arguments)],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.PIPE,
        cwd=folder,
        env=environment,
    ) as child:
        os.close(output)
        out = b""
        while ours >= 0 and (block := os.read(ours, 4096)):
            out += block
        if ours >= 0:
            os.close(ours)
        _, err = child.communicate(timeout=120)
    return End(child.returncode, out.decode(), err.decode())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Give a folder with a run in it."""
    path = tmp_path_factory.mktemp("streams")
    train(dataset="mnist-5k", num_hidden=3, train_limit=20, test_limit=20, epochs=1, threads=1, save=path / "run")
    (path / "one.toml").write_text(ONE)
    Study.load(path / "one.toml").run(path / "done", workers=1, progress=False)
    return path


def expected_code(plain: End, name: str, situation: str) -> int:
    """Return what is documented: an output that nobody wants is no mistake, one that cannot be delivered is."""
    trains = name == "train: work"
    undelivered = plain.code == 0 and plain.out
    if situation == "output unread" and undelivered:
        return 141
    if situation in ("output full", "both full") and undelivered and not trains:
        return 2
    return plain.code


PLAIN: dict[str, End] = {}


def check(bdfa, folder, name, situation):
    def fresh(at=""):
        subprocess.run(["rm", "-rf", "new", "swept", "net.npz", "zca.png", "out.txt"], cwd=folder, check=True)
        return call(bdfa.script, folder, CALLS[name], at)

    if name not in PLAIN:
        PLAIN[name] = fresh()
    plain, end = PLAIN[name], fresh(situation)
    assert plain.code in (0, 2), plain
    assert end.code == expected_code(plain, name, situation), end
    for told in (end.err, end.out):
        assert "Traceback" not in told
        assert "Exception ignored" not in told
    if situation in ("output full", "both full") and end.code != plain.code:
        assert end.err.count("\n") == (1 if situation == "output full" else 0)
    if name.endswith(("help", "mistake")) and situation in (
        "input closed",
        "error closed",
        "error full",
        "not waiting",
    ):
        assert end.out == plain.out
    if name == "train: work" and situation != "output unread":
        assert (folder / "new/Log.txt").read_text().endswith("run folder: new\n")


@pytest.mark.parametrize(
    ("name", "situation", "code"),
    [
        ("train: work", "all closed", 0),
        ("program: help", "output full", 2),
        ("info: work", "output unread", 141),
    ],
)
def test_a_command_ends_as_documented_whatever_its_streams_are(bdfa, folder, name, situation, code):
    end = call(bdfa.script, folder, CALLS[name], situation)
    assert end.code == code
    full = "bdfa: error: standard output cannot be written (No space left on device): free some space there, or send"
    assert end.err == (f"{full} it elsewhere\n" if code == 2 else "")
    if name == "train: work":
        assert (folder / "new/Log.txt").read_text().endswith("run folder: new\n")


@pytest.mark.slow
@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("name", CALLS)
def test_every_command_ends_as_documented_whatever_its_streams_are(bdfa, folder, name, situation):
    check(bdfa, folder, name, situation)


def test_the_table_has_every_command():
    named = {name.split(":")[0] for name in CALLS} - {"program"}
    groups = {"data": data, "study": study}
    inside = {f"{group} {name}" for group, commands in groups.items() for name in commands.list_commands(None)}
    assert named == ({*COMMANDS} | inside) - groups.keys()

"""The command is interrupted, asked to end, or killed: it says how to go on, and no process is left."""

import os
import signal
import sys
import uuid

import psutil
import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="has no pseudo-terminals"),
]
GONE_SECONDS = 30
"""How long what a killed command had started may outlive it."""
STUDY = """
seeds = 2
[base]
dataset = "mnist-5k"
train_limit = 200
test_limit = 100
num_hidden = 10
epochs = 100000
[grid.rule]
bp = { gradient = "bp" }
fa = { gradient = "fa" }
"""
COMMAND = "from bdfa_np.cli import main; main()"


class Typed:
    """A command in a pseudo-terminal, known by a variable that all processes that it starts inherit."""

    def __init__(self, folder):
        import pty

        self.mark = uuid.uuid4().hex
        self.said = b""
        (folder / "long.toml").write_text(STUDY)
        command = [sys.executable, "-c", COMMAND, "study", "run", "long.toml", "--save", "long", "--workers", "2"]
        environment = {**os.environ, "TEST_MARK": self.mark, "TMPDIR": str(folder), "COLUMNS": "200"}
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execve(sys.executable, command, environment)

    def read(self):
        """Take in what it says next; False once nobody has its terminal open any longer."""
        try:
            said = os.read(self.terminal, 65536)
        except OSError:
            return False
        self.said += said
        return bool(said)

    def left(self):
        """Return its processes."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("TEST_MARK") == self.mark and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def ends(self):
        """Read to its end, and return the exit code."""
        while self.read():
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@pytest.fixture
def typed(tmp_path):
    """Start the command, and return it once both of its workers have an epoch done."""
    command = Typed(tmp_path)
    while len(list(tmp_path.glob("long/*/seed-*/metrics.csv"))) < 2:
        assert command.read(), command.said
    yield command
    for process in command.left():
        process.kill()
    os.close(command.terminal)


@pytest.mark.parametrize("way", ["Ctrl-C", "SIGTERM"])
def test_a_command_that_is_interrupted_says_how_to_go_on_and_leaves_no_process(typed, tmp_path, way):
    assert len(typed.left()) == 4  # itself, the scheduler, two workers
    if way == "Ctrl-C":
        os.write(typed.terminal, b"\x03")
    else:
        os.kill(typed.pid, signal.SIGTERM)
    assert typed.ends() == 130
    assert typed.left() == []
    said = typed.said.decode()
    assert "interrupted: 0 of 4 runs finished; go on with: " in said
    assert "study run long.toml --save long --workers 2" in said
    assert "Traceback" not in said
    assert not list(tmp_path.glob("bdfa-cluster-*"))
    assert not list((tmp_path / "long").rglob("*.partial"))


def test_a_command_that_is_killed_leaves_no_process_for_long(typed, tmp_path):
    os.kill(typed.pid, signal.SIGKILL)
    assert typed.ends() == -signal.SIGKILL
    psutil.wait_procs(typed.left(), timeout=GONE_SECONDS)
    assert typed.left() == []
    assert not list(tmp_path.glob("bdfa-cluster-*"))

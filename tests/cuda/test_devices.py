"""One run on several devices: processes that a stand-in gives a device each, and an NCCL between them."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from itertools import chain
from pathlib import Path

import host_kernels
import pytest
from comparing import assert_close, same
from processes import IN_PROC, PATIENT, begun, member_ends_with, member_of, ranks_of, wait_for_epoch

from bdfa_np.rules import RULES

pytest_plugins = ["cuda_fixtures", "mpi_fixtures"]

HERE = Path(__file__).parent / "stand_in"
SMALL = {"dataset": "mnist-5k", "num_hidden": 20, "train_limit": 300, "test_limit": 100, "threads": 1, "epochs": 2}
SMALL |= {"lr": 1e-2, "optimization": "sgd", "progress": False}
WORDS = ["--dataset", "mnist-5k", "--num-hidden", "20", "--train-limit", "300", "--threads", "1", "--lr", "1e-2"]
TRAIN = """
import json, sys
from pathlib import Path
from bdfa_np import train
for one in json.load(sys.stdin):
    train(**{**one, "save": Path(one["save"])})
"""


@pytest.fixture(scope="module")
def libraries(tmp_path_factory):
    return tmp_path_factory.mktemp("libraries")


@pytest.fixture
def environment(_can_stand_in, libraries):
    """Return the variables by which a process, and all that it starts, has two devices of the stand-in's."""

    def variables(**more):
        paths = os.pathsep.join([str(HERE / "child"), str(HERE), os.environ.get("PYTHONPATH", "")])
        own = {"PYTHONPATH": paths, "STAND_IN_DEVICES": "2", host_kernels.KEPT_IN: str(libraries)}
        return {**os.environ, **own, **more}

    return variables


@pytest.fixture
def trained(environment, tmp_path):
    """Give the function that trains runs in one process of Python, with devices; it returns their folders."""

    def train(*runs, **more):
        several = [{**SMALL, "save": tempfile.mkdtemp(dir=tmp_path), **run} for run in runs]
        command = [sys.executable, "-c", TRAIN]
        done = subprocess.run(
            command, input=json.dumps(several), stderr=subprocess.PIPE, text=True, env=environment(**more), check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        return [Path(run["save"]) for run in several]

    return train


NET = """
from bdfa_np import BatchNorm, Dropout, ErrorFeedback, Flatten, Linear, Sequential, Tanh


def build(config, input_shape, num_classes, rng, backend):
    layers = [Flatten(), Linear(8, bias=False), BatchNorm(), Tanh(), Dropout(0.5), ErrorFeedback(), Linear(num_classes)]
    return Sequential(layers, input_shape, backend=backend, rng=rng)
"""


@pytest.mark.parametrize("how", [{"devices": "0,1"}, {"devices": "0,1", "cuda_graph": True}], ids=["plain", "graphs"])
def test_every_rule_learns_on_two_devices_what_it_learns_on_one(trained, how):
    one = {"backend": "cupy", "cuda_graph": how.get("cuda_graph", False)}
    runs = [[{"gradient": rule, **where} for where in (how, one)] for rule in sorted(RULES)]
    found = iter(trained(*chain(*runs)))
    for ours, theirs in zip(found, found, strict=True):
        assert_close(ours, theirs)


class TestOneNet:
    """A net that normalises and drops."""

    @pytest.fixture
    def net(self, tmp_path):
        (tmp_path / "normalised.py").write_text(NET)
        return {"network": str(tmp_path / "normalised.py"), "gradient": "bdfa", "dropout": 0}

    def test_what_is_last_and_smaller_is_cut_as_it_is_and_not_as_what_was_recorded(self, trained, net):
        uneven = {**net, "batch_size": 5, "train_limit": 39}
        one, plain, graphs = trained(
            {**uneven, "backend": "cupy"},
            {**uneven, "devices": "0,1"},
            {**uneven, "devices": "0,1", "cuda_graph": True},
        )
        assert_close(plain, one)
        assert same(graphs, plain)

    def test_late_streams_change_no_bit(self, trained, net):
        run = {**net, "devices": "0,1"}
        first, again = trained(run, {**run, "cuda_graph": True})
        late, replayed = trained(run, {**run, "cuda_graph": True}, STAND_IN_LATE="everything")
        assert same(first, again)
        assert same(first, late)
        assert same(first, replayed)

    def test_processes_with_one_device_between_them_add_up_through_the_host(self, trained, net):
        one, both, three = trained(
            {**net, "backend": "cupy"}, {**net, "devices": "1,1"}, {**net, "devices": "0,1", "processes": 3}
        )
        assert_close(both, one)
        assert_close(three, one)

    def test_several_processes_have_a_device_each_unless_told_otherwise(self, trained, net, tmp_path):
        one, two = trained({**net, "devices": "0,1"}, {**net, "processes": 2, "backend": "cupy"})
        assert same(one, two)


def test_a_run_goes_on_with_other_devices_to_the_same_and_says_so(trained, tmp_path):
    stopped = str(tmp_path / "stopped")
    whole, _, resumed = trained(
        {"devices": "0,1"},
        {"devices": "0,1", "epochs": 1, "save": stopped},
        {"resume": True, "save": stopped, "devices": "1,0"},
    )
    assert same(whole, resumed)
    log = (tmp_path / "stopped" / "Log.txt").read_text(encoding="utf-8")
    assert "2 processes, each with a share of every batch; sums over CUDA devices 0, 1 by NCCL 2.25.1" in log
    assert "2 processes, each with a share of every batch; sums over CUDA devices 1, 0 by NCCL 2.25.1" in log


@IN_PROC
@pytest.mark.parametrize("how", [["0,1"], ["0,1", "--cuda-graph"], ["0,0"]], ids=["nccl", "graphs", "host"])
class TestDeaths:
    """A process that dies or hangs, and the first one itself."""

    def test_a_process_that_is_killed_is_named_in_one_line(self, environment, tmp_path, how):
        process = begun(tmp_path / "run", *WORDS, "--epochs", "100000", "--devices", *how, **environment())
        member = member_of(process.pid)
        os.kill(member, signal.SIGKILL)
        _, err = process.communicate(timeout=PATIENT)
        assert (process.returncode, err) == (
            2,
            f"bdfa: error: rank 1 of 2 (process {member}) was ended by signal 9 (SIGKILL): go on with --resume\n",
        )

    def test_a_process_that_hangs_is_named_and_ended(self, environment, tmp_path, how):
        variables = environment(BDFA_PATIENCE="5")
        process = begun(tmp_path / "run", *WORDS, "--epochs", "100000", "--devices", *how, **variables)
        member = member_of(process.pid)
        os.kill(member, signal.SIGSTOP)
        _, err = process.communicate(timeout=PATIENT)
        assert (process.returncode, err) == (
            2,
            f"bdfa: error: rank 1 of 2 (process {member}) has not answered for 5 s: go on with --resume\n",
        )

    def test_when_the_first_is_killed_the_others_end_too(self, environment, tmp_path, how):
        variables = environment(BDFA_PATIENCE="1000")
        process = begun(tmp_path / "run", *WORDS, "--epochs", "100000", "--devices", *how, **variables)
        assert member_ends_with(process)


@IN_PROC
@pytest.mark.parametrize("devices", ["", "--devices 1,0"])
def test_under_mpirun_each_process_of_a_machine_has_a_device_too(mpirun, environment, trained, tmp_path, devices):
    (expected,) = trained({"devices": devices.split()[-1] if devices else "0,1", "optimization": "rmsprop"})
    words = ["bdfa", "train", *WORDS, "--test-limit", "100", "--epochs", "2", "--save", tmp_path / "mpi"]
    process = mpirun("-n", "2", *words, "--backend", "cupy", *devices.split(), **environment())
    out, err = process.communicate(timeout=PATIENT)
    assert (process.returncode, err) == (0, "")
    assert f"over CUDA devices {'1, 0' if devices else '0, 1'} by NCCL 2.25.1" in out
    assert same(tmp_path / "mpi", expected)


@IN_PROC
def test_under_mpirun_too_a_process_that_hangs_is_named_and_the_job_ended(mpirun, environment, tmp_path):
    run = tmp_path / "run"
    words = ["bdfa", "train", *WORDS, "--epochs", 100000, "--backend", "cupy", "--save", run]
    process = mpirun("-n", "3", *words, **environment(STAND_IN_DEVICES="3", BDFA_PATIENCE="5"))
    wait_for_epoch(run, process)
    stopped = ranks_of(run)[1]
    os.kill(stopped, signal.SIGSTOP)
    try:
        _, err = process.communicate(timeout=PATIENT)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(stopped, signal.SIGKILL)
    (line,) = [line for line in err.splitlines() if line.startswith("bdfa: error")]
    assert "rank 1 of 3 (" in line
    assert f"process {stopped}) has not answered for 5 s: the job is ended; go on with --resume" in line


@pytest.mark.parametrize(("nccl", "said"), [("1", "2.25.1"), ("0", "devices add up by NVIDIA's NCCL, which cannot be")])
def test_info_says_whether_there_is_what_several_devices_add_up_by(environment, nccl, said):
    command = [sys.executable, "-m", "bdfa_np", "info"]
    out = subprocess.check_output(command, env=environment(STAND_IN_NCCL=nccl), text=True)
    (line,) = [line for line in out.splitlines() if line.startswith("nccl")]
    assert line.split(maxsplit=1)[1].startswith(said)


class TestRefused:
    """What cannot be, in one line, before anything is written."""

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            ("--devices 0,5", "--devices 0,5 cannot be used: there is no CUDA device 5: there are 2, numbers 0 to 1"),
            (
                "--processes 3 --backend cupy",
                "3 processes of this machine would have CUDA devices 0, 1, 2: there is no",
            ),
            ("--devices 1,1 --cuda-graph", "processes that have one device between them add up through the host"),
            ("--devices 0,1 --batch-size 1", "a batch of 1 cannot be cut over 2 processes"),
        ],
    )
    def test_devices_that_are_not_there_and_graphs_without_nccl(self, environment, tmp_path, words, message):
        process = begun(tmp_path / "run", *WORDS, "--epochs", "1", *words.split(), **environment())
        _, err = process.communicate(timeout=PATIENT)
        assert (process.returncode, err.count("\n"), err[:12]) == (2, 1, "bdfa: error:")
        assert message in err
        assert not (tmp_path / "run").exists()

    def test_without_nccl_each_process_says_what_to_install(self, environment, tmp_path):
        process = begun(tmp_path / "run", *WORDS, "--epochs", "1", "--devices", "0,1", **environment(STAND_IN_NCCL="0"))
        _, err = process.communicate(timeout=PATIENT)
        assert process.returncode == 2
        assert err == (
            "bdfa: error: rank 0 of 2: devices add up by NVIDIA's NCCL, which cannot be loaded: "
            "pip install nvidia-nccl-cu12\n"
        )

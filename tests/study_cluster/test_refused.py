"""What cannot work is said in one line, before anything is trained."""

import errno
import os
import sys

import pytest

from bdfa_np.errors import RunError, UserError
from bdfa_np.runs.folder import RunFolder
from bdfa_np.study.engine import cluster, connection
from bdfa_np.study.engine.cluster import Cluster
from bdfa_np.study.engine.local import gpu_environments
from bdfa_np.study.engine.parcel import packed, unpack
from bdfa_np.study.events import Watcher
from bdfa_np.study.plan import PlannedRun
from bdfa_np.study.versions import differences, refusal, versions


@pytest.mark.slow
@pytest.mark.parametrize("by_hand", ["import bdfa_np; bdfa_np.__version__ = '0.0.1'"], indirect=True)
def test_a_worker_with_another_version_is_refused_and_named(by_hand, client, tmp_path):
    started = client(tmp_path / "study", 1, {"scheduler": str(by_hand.file), "collect": True})
    code, errors = started.ends()
    assert (code, errors) == (2, "")
    said = started.events[-1]["error"]
    assert "worker node0 on" in said
    assert "bdfa-np 0.0.1" in said
    assert not list(tmp_path.glob("study/*/seed*"))


@pytest.mark.parametrize("text", ["", "[grid]", "3", "[]", "{}", '{"address": null}'])
def test_a_file_that_no_scheduler_wrote_is_one_line(sweep, tmp_path, text):
    (tmp_path / "study.toml").write_text(text)
    with pytest.raises(UserError, match=r"study\.toml is no scheduler file: name the one"):
        Cluster(scheduler=str(tmp_path / "study.toml")).run(sweep(1), tmp_path, {}, Watcher())


@pytest.mark.slow
@pytest.mark.parametrize("by_hand", ["import sys; sys.modules['bdfa_np'] = None"], indirect=True)
def test_a_worker_without_the_package_is_refused(by_hand, client, tmp_path):
    started = client(tmp_path / "study", 1, {"scheduler": str(by_hand.file), "collect": True})
    assert started.ends() == (2, "")
    assert "has no bdfa-np" in started.events[-1]["error"]


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
@pytest.mark.parametrize("by_hand", [""], indirect=True)
def test_a_worker_that_does_not_see_the_folder_is_refused_and_told_of_collect(by_hand, client, tmp_path):
    # Every process sees a folder of its own there.
    started = client("/proc/self/cwd/study", 1, {"scheduler": str(by_hand.file)})
    assert started.ends() == (2, "")
    said = started.events[-1]["error"]
    assert "does not see the study's folder" in said
    assert "--collect" in said
    assert os.listdir(tmp_path / "study") == []


def test_other_sources_are_refused_and_other_libraries_noted():
    mine = versions()
    assert refusal(mine, mine) == ""
    assert "source files are not the same" in refusal({**mine, "sources": "0"}, mine)
    assert refusal({**mine, "numpy": "1.0"}, mine) == ""
    assert differences({**mine, "numpy": "1.0"}, mine) == [f"numpy 1.0 (here {mine['numpy']})"]


def test_a_scheduler_that_does_not_answer_is_one_line(monkeypatch, sweep, tmp_path):
    monkeypatch.setattr(connection, "CONNECT_SECONDS", 0.2)
    with pytest.raises(UserError, match=r"tcp://127\.0\.0\.1:9 cannot be used: it does not answer"):
        Cluster(scheduler="tcp://127.0.0.1:9").run(sweep(1), tmp_path, {}, Watcher())
    with pytest.raises(UserError, match="there is no such file"):
        Cluster(scheduler="scheduler.json").run(sweep(1), tmp_path, {}, Watcher())


def test_each_gpu_worker_sees_one_of_the_devices_that_the_client_sees(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert gpu_environments(2, 3) == [{"CUDA_VISIBLE_DEVICES": "0"}, {"CUDA_VISIBLE_DEVICES": "1"}]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")
    assert gpu_environments(2, 2) == [{"CUDA_VISIBLE_DEVICES": "5"}, {"CUDA_VISIBLE_DEVICES": "7"}]
    with pytest.raises(UserError, match="only 2 CUDA devices"):
        gpu_environments(3, 2)


def test_gpu_workers_compute_on_the_only_device_that_each_sees(monkeypatch):
    monkeypatch.setattr(cluster, "device_count", lambda: 2)
    engine = Cluster(gpu_workers=2)
    assert engine._machine({}) == {"backend": "cupy", "device": 0}
    with pytest.raises(UserError, match="leave out --backend"):
        engine._machine({"backend": "numpy"})


@pytest.mark.parametrize("options", [{"processes": 2}, {"devices": "0,1"}])
def test_gpu_workers_have_no_device_for_a_second_process(tmp_path, options):
    run = PlannedRun("x", "shared", 0, {"epochs": 1, "seed": 0, **options}, "shared/seed-0")
    with pytest.raises(UserError, match=r"gives each run one device, and shared asks for 2 processes"):
        Cluster(gpu_workers=2).run([run], tmp_path, {}, Watcher())
    assert list(tmp_path.iterdir()) == []


def test_without_dask_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(cluster, "find_spec", lambda _: None)
    with pytest.raises(UserError, match=r"\[cluster\]"):
        Cluster()


@pytest.mark.parametrize(
    "settings", [{"workers": 0}, {"workers": 1, "gpu_workers": 1}, {"scheduler": "tcp://a:1", "workers": 2}]
)
def test_settings_that_do_not_go_together_are_refused(settings):
    with pytest.raises(UserError):
        Cluster(**settings)


def test_a_run_is_put_into_a_folder_whole_or_not_at_all(undisturbed, tmp_path, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    root = undisturbed(2)
    first, second = packed(root / "bp/seed-0"), packed(root / "fa/seed-0")
    unpack(first, tmp_path / "run")
    assert packed(tmp_path / "run") == first
    with pytest.raises(RunError, match="is no run"):
        RunFolder(tmp_path / "run").put({**second, "another.txt": b""})
    with monkeypatch.context() as broken:
        broken.setattr(RunFolder, "_take", full)
        with pytest.raises(RunError, match="No space left on device: make room; the run that was in"):
            unpack(second, tmp_path / "run")
    assert packed(tmp_path / "run") == first
    unpack(second, tmp_path / "run")
    assert packed(tmp_path / "run") == second

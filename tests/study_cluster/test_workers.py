"""Workers that come late, and workers that vanish at one run again and again."""

import pytest

from bdfa_np.study.folder import StudyFolder

WAITS = """
import builtins, time
from pathlib import Path

def dask_setup(worker):
    real, written = open, 0

    def opened(file, mode="r", *arguments, **named):
        nonlocal written
        if str(file).endswith("checkpoint.h5.partial"):
            written += 1
            while written == 3 and not Path("go on").exists():
                time.sleep(0.01)
        return real(file, mode, *arguments, **named)

    builtins.open = opened
"""
VANISHES = """
import builtins, os

def dask_setup(worker):
    real = open

    def opened(file, mode="r", *arguments, **named):
        if str(file).endswith("checkpoint.h5.partial") and "/fa/" in str(file):
            os._exit(1)
        return real(file, mode, *arguments, **named)

    builtins.open = opened
"""


@pytest.mark.slow
@pytest.mark.parametrize("by_hand", [WAITS], indirect=True)
def test_a_worker_that_comes_late_is_used_and_one_of_another_version_is_not(
    by_hand, client, tmp_path, undisturbed, sweep, same_digits
):
    root = tmp_path / "study"
    started = client(root, 3, {"scheduler": str(by_hand.file)})
    started.until("begins")
    by_hand.add_worker("old", "import bdfa_np; bdfa_np.__version__ = '0.0.1'")
    said = started.until("note")["note"]
    if "no workers yet" in said:
        said = started.until("note")["note"]
    assert said.startswith("worker old on ")
    assert "has bdfa-np 0.0.1, and here is" in said
    assert said.endswith("it is not used")
    by_hand.add_worker("late")
    assert "late" in started.until("begins")["where"]
    (by_hand.folder / "go on").touch()
    assert started.ends() == (0, "")
    assert not [event for event in started.events if "old" in event.get("where", "")]
    assert [event["ends"]["state"] for event in started.events if "ends" in event] == ["finished"] * 3
    same_digits(root, undisturbed(3), sweep(3))


@pytest.mark.slow
@pytest.mark.parametrize("collect", [True, False])
@pytest.mark.parametrize("by_hand", [(VANISHES, 2)], indirect=True)
def test_a_run_at_which_five_workers_vanish_has_failed_and_the_others_go_on(by_hand, client, tmp_path, sweep, collect):
    root = tmp_path / "study"
    started = client(root, 3, {"scheduler": str(by_hand.file), "collect": collect})
    assert started.ends() == (0, "")
    outcomes = {event["ends"]["folder"]: event["ends"] for event in started.events if "ends" in event}
    assert {name: outcome["state"] for name, outcome in outcomes.items()} == {
        "bp/seed-0": "finished",
        "fa/seed-0": "failed",
        "bp/seed-1": "finished",
    }
    reason = "5 workers vanished at it, one after the other: do they have the memory for it?"
    assert outcomes["fa/seed-0"]["reason"] == reason
    gone = [event for event in started.events if " is gone: fa/seed-0 goes on elsewhere" in event.get("note", "")]
    assert len(gone) == 5
    assert StudyFolder(root).failure(sweep(2)[1]) == reason

"""What is seen of a run while another process trains it."""

import os
import shutil
from dataclasses import replace

import filelock
import pytest

from bdfa_np.errors import RunError
from bdfa_np.runs.listing.watching import Watch, check_is_one


def contents(folder):
    return {path.name: (path.stat().st_mtime_ns, path.stat().st_ino) for path in folder.iterdir()}


def test_a_run_is_seen_from_its_preparation_to_its_end(a_run):
    a_run.begin()
    watch = Watch(a_run.path)
    seen = [watch.look()]
    for epochs in range(3):
        a_run.do(epochs)
        seen.append(watch.look())
    a_run.finish()
    seen.append(watch.look())
    assert [sight.state for sight in seen] == ["preparing", "running", "running", "running", "finished"]
    assert [len(sight.history) for sight in seen] == [0, 0, 1, 2, 3]
    assert [sight.epochs for sight in seen] == [None, 3, 3, 3, 3]
    assert [sight.is_over for sight in seen] == [False] * 4 + [True]
    assert seen[-1].result is not None


def test_a_run_that_nobody_goes_on_with_has_stopped(a_run):
    a_run.begin()
    a_run.do(2)
    a_run.end()
    assert Watch(a_run.path).look().state == "stopped"


def test_a_run_of_an_earlier_version_is_finished_once_its_epochs_are_done(a_run):
    a_run.begin()
    a_run.do(3)
    a_run.end()
    assert Watch(a_run.path).look().state == "finished"


def test_a_finished_run_is_running_while_a_process_is_about_to_go_on_with_it(a_run):
    a_run.begin()
    a_run.do(3)
    shutil.copy2(a_run.finished / "result.toml", a_run.path)
    assert Watch(a_run.path).look().state == "running"


def test_a_line_that_is_half_written_is_no_epoch_yet(a_run):
    a_run.begin()
    a_run.do(1, extra="2,0.001,0.5")
    watch = Watch(a_run.path)
    assert len(watch.look().history) == 1
    a_run.do(2)
    assert len(watch.look().history) == 2


def test_what_has_not_changed_is_not_read_again(a_run, monkeypatch):
    a_run.begin()
    a_run.do(1)
    watch = Watch(a_run.path)
    first = watch.look()
    monkeypatch.setattr("bdfa_np.runs.listing.watching.read_text", lambda _path: pytest.fail("it is read again"))
    second = watch.look()
    assert second.history is first.history
    assert not second.is_news_after(first)
    a_run.end()
    assert watch.look().is_news_after(second)


def test_nothing_is_written_into_the_folder(a_run):
    a_run.begin()
    a_run.do(1)
    before = contents(a_run.path)
    watch = Watch(a_run.path)
    watch.look()
    watch.look()
    assert contents(a_run.path) == before


def test_another_run_that_takes_the_folder_is_seen_from_then_on(a_run):
    a_run.begin()
    a_run.do(2)
    watch = Watch(a_run.path)
    assert not watch.look().is_followed
    (a_run.path / ".new").mkdir()
    sight = watch.look()
    assert (len(sight.history), sight.is_followed, sight.is_over) == (2, True, False)
    (a_run.path / ".new").rename(a_run.path / ".taking")  # its files are being put into their places
    (a_run.path / "config.toml").unlink()
    assert len(watch.look().history) == 2
    (a_run.path / ".taking").rmdir()
    a_run.do(1)
    sight = watch.look()
    assert (len(sight.history), sight.is_followed) == (1, False)


def test_files_that_are_replaced_while_they_are_read_are_read_again(a_run, monkeypatch):
    from bdfa_np.runs.listing import watching

    a_run.begin()
    a_run.do(1)
    watch = Watch(a_run.path)
    watch.look()
    a_run.do(2)
    read, times = watching.read_text, []

    def taken_meanwhile(path):
        times.append(path)
        if len(times) > 1:
            return read(path)
        os.utime(path, ns=(1, 1))
        raise FileNotFoundError(2, "gone", str(path))

    monkeypatch.setattr(watching, "read_text", taken_meanwhile)
    assert len(watch.look().history) == 1
    assert len(watch.look().history) == 2


def test_a_damaged_file_is_told_in_one_line(a_run, bdfa, finished):
    shutil.copytree(finished, "run")
    with open("run/metrics.csv", "a") as file:
        file.write("not,a,row\n")
    assert "run/metrics.csv is damaged" in bdfa.refused("watch", "run")


def test_a_run_whose_lock_cannot_be_asked_counts_as_running_until_it_is_finished(a_run, monkeypatch):
    def refused(*_arguments, **_settings):
        raise PermissionError(13, "Permission denied")

    a_run.begin()
    a_run.do(2)
    monkeypatch.setattr(filelock.FileLock, "acquire", refused)
    watch = Watch(a_run.path)
    assert watch.look().state == "running"
    a_run.do(3)
    assert watch.look().state == "finished"


def test_what_is_left_is_what_the_last_epochs_took_less_what_has_passed(a_run):
    a_run.begin()
    a_run.do(2)
    sight = replace(Watch(a_run.path).look(), since=100.0)
    each = (sight.history[0].seconds + sight.history[1].seconds) / 2
    assert sight.seconds_left(sight.since) == pytest.approx(each)
    assert sight.seconds_left(sight.since + each / 4) == pytest.approx(0.75 * each)
    assert sight.seconds_left(sight.since + 1000) == 0.0
    assert sight.seconds_left(sight.since - 1000) == pytest.approx(each)  # another machine's clock


def test_nobody_knows_what_is_left_before_the_first_epoch_is_done(a_run):
    a_run.begin()
    a_run.do(0)
    sight = Watch(a_run.path).look()
    assert sight.seconds_left(sight.since) is None


def test_a_folder_of_runs_says_which_of_them_are_going_on(a_run, finished):
    a_run.begin()
    a_run.do(1)
    shutil.copytree(finished, "runs/b c")
    with pytest.raises(RunError, match=r"^runs holds 2 runs, 1 of them going on: name one of them, as runs/a$"):
        check_is_one(a_run.path.parent)
    a_run.end()
    with pytest.raises(RunError, match=r"none of them going on: name one of them, as runs/a, 'runs/b c'$"):
        check_is_one(a_run.path.parent)
    check_is_one(a_run.path)


def test_where_there_is_no_run_that_is_said(bdfa):
    assert "there is no run in runs/none: config.toml is missing" in bdfa.refused("watch", "runs/none")

"""Two commands that make one search in one folder keep the same settings and the same choice at the same moment."""

import threading
from concurrent.futures import ThreadPoolExecutor

from bdfa_np.study.search.record import Choice, check_settings, keep_settings, read_choice, write_choice
from bdfa_np.study.search.trials import Trial

SETTINGS = {"method": "random", "seed": 0, "epochs": 1, "space": {}, "options": {"gradient": "bp"}}
CHOICE = Choice((Trial(0, {"lr": 0.1}, error=2.5),))
WRITERS = 4


def both(folder, start):
    start.wait()
    keep_settings(folder / "search.toml", SETTINGS)
    write_choice(folder / "chosen.toml", CHOICE)


def test_whoever_comes_second_is_not_in_the_way_of_the_first(tmp_path):
    for turn in range(10):
        folder, start = tmp_path / str(turn), threading.Barrier(WRITERS)
        with ThreadPoolExecutor(WRITERS) as writers:
            for done in [writers.submit(both, folder, start) for _ in range(WRITERS)]:
                done.result()
        check_settings(folder / "search.toml", SETTINGS)
        assert read_choice(folder / "chosen.toml") == CHOICE

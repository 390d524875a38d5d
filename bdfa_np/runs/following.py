"""What a process other than that of rank 0 does of a run: it trains along, and neither writes nor speaks."""

import signal
from typing import BinaryIO

from bdfa_np.errors import BackendError, TrainingError, UserError
from bdfa_np.extensions import blamed, held
from bdfa_np.model import Model
from bdfa_np.parallel.commands import BEGIN, END, EPOCH, STATE
from bdfa_np.parallel.leading import Errand, report
from bdfa_np.parallel.local import Member
from bdfa_np.parallel.share import Team
from bdfa_np.runs.data import RunData, load_data_of_run, load_run_data
from bdfa_np.runs.loading import model_for
from bdfa_np.runs.teaming import placed
from bdfa_np.system.threads import limited_threads
from bdfa_np.trainer import Trainer


def follow(team: Team) -> None:
    """Do what rank 0 says until it says that this is the end.

    Parameters
    ----------
    team : Team
        Of which this process is not the first.
    """
    errand = team.copy(None)
    if not isinstance(errand, Errand):
        return
    with held(errand.files), limited_threads(errand.config.threads):
        made, problem, checksums = None, None, dict[str, str]()
        try:
            data, model = made = _made_ready(team, errand)
            checksums = data.prepared.checksums
        except UserError as error:
            problem = error
        if not report(team, problem, checksums) or made is None:
            return
        try:
            model.backend.join(team)
        except BackendError:  # which all have, and rank 0 tells
            return
        config = model.config
        train = data.train_batches(config.batch_size, model.streams, drop_last=config.const_batch_size)
        trainer = model.trainer(train, data.test_batches(config.batch_size), team=team)
        with blamed():
            _obey(team, model, trainer)


def _made_ready(team: Team, errand: Errand) -> tuple[RunData, Model]:
    config, document = placed(team, errand.config), errand.document
    data = load_run_data(config) if document is None else load_data_of_run(config, document, "the run")
    return data, model_for(config, data)


def _obey(team: Team, model: Model, trainer: Trainer) -> None:
    while True:
        command, value = team.copy(None)
        if command == END:
            team.end_sums()
            return
        if command == STATE:
            state, trainer.progress = value
            model.load_state(state)
        elif command == BEGIN:
            trainer.begin()
        elif command == EPOCH:
            try:
                trainer.run_epoch()
            except TrainingError:
                continue  # which rank 0 tells


def main(heard: BinaryIO, said: BinaryIO) -> None:
    """Follow the process that has started this one; Ctrl-C, which all of a terminal hear, is for that one to answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    follow(Member(heard, said))

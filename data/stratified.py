"""Drawing samples so that every class keeps its proportion."""

import numpy as np
from numpy.typing import NDArray

from bdfa_np.errors import DataError
from bdfa_np.random_streams import Streams
from bdfa_np.system.text import counted

VERSION = 1
"""Part of what a prepared file is found by: raise it when a test fraction would keep other samples."""


def stratified(labels: NDArray[np.int64], limit: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Draw positions so that every class keeps its proportion.

    Each class gets the whole part of ``limit * n_k / N``; the places left over go to the largest remainders, the
    lower class first where two are equal.

    Parameters
    ----------
    labels : ndarray of int64, shape (N,)
        Classes, none negative.
    limit : int
        How many positions to draw, from 1 to N.
    generator : numpy.random.Generator
        Where the draws come from.

    Returns
    -------
    ndarray of int64, shape (limit,)
        Positions in ``labels``, rising.
    """
    counts = np.bincount(labels)
    shares, remainders = np.divmod(limit * counts, len(labels))
    left_over = limit - int(shares.sum())
    shares[np.argsort(-remainders, kind="stable")[:left_over]] += 1
    kept = [
        generator.permutation(np.flatnonzero(labels == label))[:share] for label, share in enumerate(shares.tolist())
    ]
    return np.sort(np.concatenate(kept))


def held_out(
    labels: NDArray[np.int64], fraction: float, seed: int, where: str
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Divide samples into some to train on and some to test on.

    Parameters
    ----------
    labels : ndarray of int64, shape (N,)
        Their classes, none negative.
    fraction : float
        How much of them is to be tested on, between 0 and 1.
    seed : int
        From which it is drawn which.
    where : str
        What the samples are, for the message.

    Returns
    -------
    train, test : ndarray of int64
        Positions in ``labels``. To test on are ``fraction * N``, rounded, each class in its proportion and in their
        order; but of every class one at least is left to train on. Those to train on are shuffled, so that the last
        of them, which `bdfa_np.data.split` may hold out for validation, are of all classes too.

    Raises
    ------
    DataError
        If the fraction is not between 0 and 1, or comes to no sample.
    """
    if not 0 < fraction < 1:
        raise DataError(f"{where}: a test fraction of {fraction} is not possible: it must lie between 0 and 1")
    generator = Streams(seed).generator("test-fraction")
    test = stratified(labels, round(fraction * len(labels)), generator)
    counts = np.bincount(labels)
    for label in np.flatnonzero(counts == np.bincount(labels[test], minlength=len(counts))):
        test = np.delete(test, np.flatnonzero(labels[test] == label)[-1:])
    if not len(test):
        samples = counted(len(labels), "sample")
        raise DataError(
            f"{where}: a test fraction of {fraction} leaves none of {samples} to test on, where each class "
            "keeps one to train on: choose a larger fraction"
        )
    return generator.permutation(np.setdiff1d(np.arange(len(labels)), test)), test

"""A team whose processes are threads: what it adds up is what MPI would, with every step of it in view."""

import copy
import threading
from concurrent.futures import ThreadPoolExecutor

from bdfa_np.parallel.share import Team


class Meeting:
    """Where the members of a team exchange what they have."""

    def __init__(self, size):
        self.size = size
        self.barrier = threading.Barrier(size, timeout=60)
        self.slots = [None] * size
        self.sums = 0


class Member(Team):
    def __init__(self, meeting, rank):
        self.meeting, self.rank, self.size = meeting, rank, meeting.size
        self.place, self.here = rank, self.size

    def gather(self, value):
        self.meeting.slots[self.rank] = copy.deepcopy(value)
        self.meeting.barrier.wait()
        found = list(self.meeting.slots)
        found[self.rank] = value  # as where it is not pickled
        self.meeting.barrier.wait()
        return found

    def sum(self, array):
        if self.rank == 0:
            self.meeting.sums += 1
        parts = self.gather(array.copy())
        array[...] = sum(parts[1:], parts[0])

    def meet(self):
        self.meeting.barrier.wait()

    def copy(self, value):
        return self.gather(value)[0]

    def abandon(self, code):
        raise AssertionError("nobody is abandoned here")


def together(size, task):
    """Carry out ``task(member)`` in every member of a team at once; return what each has returned, by rank."""
    meeting = Meeting(size)

    def alone(rank):
        try:
            return task(Member(meeting, rank))
        except BaseException:
            meeting.barrier.abort()
            raise

    with ThreadPoolExecutor(size) as pool:
        return [done.result() for done in [pool.submit(alone, rank) for rank in range(size)]]

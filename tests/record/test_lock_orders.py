"""Laws of the lock of a study in a bucket, in every order in which the steps of two launches can happen."""

import os
import threading
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from raysernas.config.fault import Fault
from raysernas.record import storage
from raysernas.record.files import StudyFiles
from raysernas.record.lock import Lease

SILENT = str  # a listener that says nothing


@settings(max_examples=200)
@given(
    runs=st.lists(st.tuples(st.integers(0, 2), st.integers(1, 16)), min_size=4, max_size=24),
    asleep=st.sets(st.integers(0, 2)),
    key=st.uuids(),
)
def test_in_no_order_of_events_does_a_launch_pass_a_check_once_another_holds_the_study(
    runs: list[tuple[int, int]], asleep: set[int], key: Any
) -> None:
    """Each look at the store and each write is a turn of its own, and time passes with it; some do not renew
    by themselves.
    """
    schedule = Schedule(StudyFiles(storage.place(f"memory://interleaved/{key}")), asleep)
    schedule.run([number for number, count in runs for _ in range(count)])
    assert schedule.wrong == []


def test_the_simulated_orders_include_takeovers_of_dead_launches() -> None:
    """So that the law above is not empty: one takes the study and stops, another follows it."""
    schedule = Schedule(StudyFiles(storage.place(f"memory://interleaved/{os.getpid()}")), {0})
    schedule.run([0] * 6 + [1] * 60)
    assert schedule.takers == [0, 1]


class Schedule:
    """Three launches, each in a thread that waits for its turn before each request; real leases in a store in
    memory.
    """

    def __init__(self, files: StudyFiles, asleep: set[int]) -> None:
        self.files, self.asleep, self.now_s = files, asleep, 0.0
        self.go = [threading.Semaphore(0) for _ in range(3)]
        self.done, self.over, self.ended = threading.Semaphore(0), False, [False] * 3
        self.takers: list[int] = []  # in order
        self.wrong: list[tuple[int, int]] = []  # who passed a check, and who had the study then

    def step(self, number: int) -> None:
        """Give the turn back, and wait for the next one."""
        self.done.release()
        self.go[number].acquire()
        if self.over:
            raise SystemExit

    def slow(self, number: int, act: Any) -> Any:
        """The same, after a turn."""

        def slowly(**named: Any) -> Any:
            self.step(number)
            return act(**named)

        return slowly

    def launch(self, number: int) -> None:
        """Take the study, hold it for some turns, give it back."""
        self.go[number].acquire()
        try:
            if self.over:
                return
            lease = Lease(self.files, lambda: self.now_s, lambda _: self.step(number))
            lease._superseded = self.slow(number, lease._superseded)  # before each look at who is last
            lease._text = self.slow(number, lease._text)  # before each write
            lease.take(SILENT)
            self.takers.append(number)
            for _ in range(8):
                self.step(number)
                if number not in self.asleep:
                    lease.renew()
                lease.check()
                if self.takers[-1] != number:
                    self.wrong.append((number, self.takers[-1]))
            lease.give_back()
        except (Fault, SystemExit):
            pass
        finally:
            self.ended[number] = True
            self.done.release()

    def run(self, turns: list[int]) -> None:
        """Let them run in this order; at the end all stop."""
        threads = [threading.Thread(target=self.launch, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        for number in turns:
            self.now_s += 4.0
            if not self.ended[number]:
                self.go[number].release()
                self.done.acquire()
        self.over = True
        for number in range(3):
            self.go[number].release()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()

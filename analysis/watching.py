"""Repeat an action whenever a study has progressed, until Ctrl-C.

In: folders or URIs of studies. Out: calls. Only listings are read, so that a large ledger is not read to
learn that nothing has changed.
"""

import time
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path

from raysernas.config.fault import Fault
from raysernas.record import storage
from raysernas.record.files import StudyFiles

POLL_S = 2.0  # between two looks


def states(roots: Sequence[Path]) -> Hashable:
    """A value that changes when a trial has ended or the plan has changed."""
    found = [(str(root), *storage.states(StudyFiles(root).trials).items()) for root in roots]
    plans = [storage.text(StudyFiles(root).config) for root in roots]
    return (*map(tuple, found), *plans)


def watch(
    roots: Sequence[Path],
    act: Callable[[], object],
    report: Callable[[Fault], object],
    *,
    pause: Callable[[float], object] = time.sleep,
) -> None:
    """Call `act` now and after every change, until Ctrl-C.

    A later fault is passed to `report`, and the next look tries again: a running study may remove a file
    between the listing and the reading.

    Raises:
        Fault: from the first call: a folder that holds no study will not become one.
    """
    known: Hashable = states(roots)
    try:
        act()
        while True:
            pause(POLL_S)
            try:
                if (now := states(roots)) != known:
                    act()
                    known = now
            except Fault as fault:
                report(fault)
    except KeyboardInterrupt:
        return

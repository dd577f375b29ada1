"""Doing something again whenever a study has got further, until somebody stops it.

Comes in: folders or places of studies. Goes out: calls. Only listings are asked for, so that a large ledger
is not read to learn that nothing has changed.
"""

import time
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path

from raysernas.config.fault import Fault
from raysernas.record import storage
from raysernas.record.files import StudyFiles

POLL_S = 2.0  # between two looks


def states(roots: Sequence[Path]) -> Hashable:
    """What differs once a trial has ended, or the plan has changed."""
    found = [(str(root), *storage.states(StudyFiles(root).trials).items()) for root in roots]
    plans = [storage.text(StudyFiles(root).config) for root in roots]
    return (*map(tuple, found), *plans)


def watch(
    roots: Sequence[Path],
    act: Callable[[], object],
    told: Callable[[Fault], object],
    *,
    pause: Callable[[float], object] = time.sleep,
) -> None:
    """`act` now, and after every change; a fault on the way is `told`, and the next look tries again. Ctrl-C
    ends it.

    A file may be gone between the listing and the reading, because the study goes on meanwhile: that is no
    end.

    Raises:
        Fault: of the first time: a folder that is not a study's will not become one.
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
                told(fault)
    except KeyboardInterrupt:
        return

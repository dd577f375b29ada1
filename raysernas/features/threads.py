"""Threads that compute bit for bit the same however many there are: torch uses one core on each of them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch computes on one thread in here: the last bits of a result depend on the number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def workers(count: int) -> Iterator[ThreadPoolExecutor]:
    """A pool of threads. Decoding, torch and soxr all release Python's lock."""
    with one_thread():
        pool = ThreadPoolExecutor(count)
        try:
            yield pool
        finally:
            pool.shutdown(cancel_futures=True)

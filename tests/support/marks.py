"""Which of many alike tests the quick suite runs."""

from collections.abc import Iterable
from typing import Any

import pytest


def slow_after(quick: int, values: Iterable[Any]) -> list[Any]:
    """The values of a parameter: the first `quick` of them in the quick suite, all in the slow one."""
    return [
        each if number < quick else pytest.param(each, marks=pytest.mark.slow)
        for number, each in enumerate(values)
    ]

"""What the user reads when something is refused."""

from collections.abc import Callable

import pytest

from raysernas.config.fault import Fault


def told(what: str, got: object, expected: str, fix: str, *, where: str = "config") -> str:
    """The text of a fault."""
    return f"{where}: {what}\n  got: {got}\n  expected: {expected}\n  fix: {fix}"


def refusal(act: Callable[[], object]) -> str:
    """The text of the fault that `act` ends in."""
    with pytest.raises(Fault) as caught:
        act()
    return str(caught.value)

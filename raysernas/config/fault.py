"""The one error meant for people: what is wrong with what they wrote, and how to fix it."""


class Fault(ValueError):
    """A mistake that the user can correct, in five parts: where, what, got, expected, fix."""

    def __init__(self, where: str, what: str, *, got: object, expected: object, fix: str) -> None:
        super().__init__(f"{where}: {what}\n  got: {got}\n  expected: {expected}\n  fix: {fix}")
        self.what = what

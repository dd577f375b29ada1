"""The one error meant for people: what is wrong with what they wrote, and how to fix it."""

import re

# the password may contain a slash; abfs://container@account has no password
USER = re.compile(r"(?i)(\b(?:s3a?|gs|gcs)://)[^/\s@]+@|(\b[a-z][a-z0-9+.-]*://)[^/\s@]*:\S*@")
QUERY = re.compile(r"(\b[A-Za-z][A-Za-z0-9+.-]*://[^\s?]*\?)[^\s?]*=\S*")


class Fault(ValueError):
    """A mistake that the user can correct, in five parts: where, what, got, expected, fix."""

    def __init__(self, where: str, what: str, *, got: object, expected: object, fix: str) -> None:
        text = f"{where}: {what}\n  got: {got}\n  expected: {expected}\n  fix: {fix}"
        super().__init__(without_secrets(text))
        self.what = without_secrets(what)


def without_secrets(text: str) -> str:
    """A text in which a URI shows neither user and password nor a query, which may hold a key."""
    return QUERY.sub(r"\1***", USER.sub(lambda found: f"{found[1] or found[2]}***@", text))

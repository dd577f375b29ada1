"""Texts that name a place, and texts that only look as if they did.

In: what was written as a folder or a URI. A mistake is refused here, before a folder of that name is made.
"""

import os.path
import re

from raysernas.config.fault import Fault, without_secrets

STORES = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "hdfs", "webhdfs", "http", "https", "file")
COLON = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(?!//)(.*)", re.DOTALL)
WITHOUT_BUCKET = ("file:", "memory:", "hdfs:", "dbfs:")  # their URIs may begin with three slashes
VARIABLE = re.compile(r"(?:^|/)(\$[A-Za-z_({][^/]*)")


def check_location(text: str) -> None:
    """Refuse a text that is neither a folder nor a URI, and a URI with a password in it.

    Raises:
        Fault: which says what would do.
    """
    shown = without_secrets(text)
    expected = "a folder, or a URI such as s3://bucket/prefix"
    if shown != text:
        fix = "leave them out; the library of the store finds them, as in ~/.aws/credentials"
        what = "a URI with a password, a key or a query in it would be written into every result"
        raise Fault("storage", what, got=shown, expected="s3://bucket/prefix alone", fix=fix)
    if mistake := _mistake(text):
        what, fix = mistake
        raise Fault("storage", f"{text!r} {what}", got=text, expected=expected, fix=fix)


def _mistake(text: str) -> tuple[str, str] | None:
    """What is wrong with a text, and what to do about it."""
    colon, uri = COLON.match(text), "://" in text
    if "\0" in text:
        return "has a zero byte in it", "take it out"
    if text.encode(errors="ignore").decode() != text:
        return "has a byte in it that is no UTF-8, so it cannot be written down", "rename the folder"
    if variable := VARIABLE.search(text):
        return f"has {variable[1]} in it, which no shell has filled in", "write the folder itself"
    if text.startswith("file://") and not text.startswith("file:///"):
        return "is no absolute path", "write the path without file://, or all of it, as in file:///data"
    if colon and (colon[1].lower() in STORES or colon[2].startswith("/")):
        known = colon[1].lower() in STORES and colon[1].lower() != "file"
        rest = colon[2].lstrip("/")
        return (
            "lacks a slash of a URI",
            f"write {colon[1]}://{rest}" if known else f"write /{rest} or ./{text}",
        )
    if uri and not re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text):
        return "has a URI inside it", "write the URI alone, without spaces before it"
    if uri and re.fullmatch(r"[^:]*://(/.*)?", text) and not text.lower().startswith(WITHOUT_BUCKET):
        return "names no bucket", "write s3://bucket/prefix"
    if os.path.expanduser(text).startswith("~"):
        return "names a home folder that is not there", "write the folder itself"
    return None

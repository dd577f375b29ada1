"""HTML that cannot be broken out of: whatever is not made here is text, and text is escaped."""

import json
import re
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

UNPRINTED = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
VOID = {"meta", "input", "br", "hr", "link"}


class Markup(str):
    """Text that is HTML already; made by `tag`, `join` and `trusted` only."""

    __slots__ = ()


Child = str | None  # a plain string is escaped, a Markup is not


def tag(name: str, attributes: Mapping[str, object] | None = None, *children: Child) -> Markup:
    """One element. Attributes that are None or False are left out, True ones have no value."""
    shown = [
        (key, value) for key, value in (attributes or {}).items() if value is not None and value is not False
    ]
    opened = "".join(f" {key}" if value is True else f' {key}="{text(str(value))}"' for key, value in shown)
    return Markup(f"<{name}{opened}>" if name in VOID else f"<{name}{opened}>{join(children)}</{name}>")


def join(children: Iterable[Child]) -> Markup:
    """Several pieces after one another; None is nothing."""
    return Markup(
        "".join(
            child if isinstance(child, Markup) else text(child) for child in children if child is not None
        )
    )


def text(plain: str) -> str:
    """Escaped; what no page may hold becomes the sign for what cannot be shown."""
    return escape(UNPRINTED.sub("\N{REPLACEMENT CHARACTER}", plain))


def trusted(html: str) -> Markup:
    """HTML, CSS, script or SVG of this package itself, never of a ledger."""
    return Markup(html)


def data(identity: str, value: Any) -> Markup:
    """JSON for the page's script; no text in it can end the element, and NaN is refused."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False, ensure_ascii=True)
    safe = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return Markup(f'<script type="application/json" id="{escape(identity)}">{safe}</script>')

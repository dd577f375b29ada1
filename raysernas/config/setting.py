"""One setting: its default, what it means, and which values it takes.

The fields of the configuration classes are made with `setting`. `declared` reads them again, for the checks
and for the table of `python -m raysernas.launch --settings`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import lru_cache
from typing import Any, Literal, TypeVar, cast, get_args, get_origin, get_type_hints

MOST = 2**32 - 1  # no number is larger: every count and seed fits its machine type, and infinity is refused
Default = TypeVar("Default")


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """What is declared of one setting besides its name and its default."""

    meaning: str  # one line, with the unit
    least: float = 0  # lowest value of a number
    below: float | None = None  # a number is less than this; without it at most MOST
    entries: tuple[float, float] = (0, MOST)  # lowest and highest number in a list
    needed: bool = False  # the list has at least one entry; no entry of a list stands twice
    one_of: tuple[str, ...] = ()  # the only words allowed, also as entries of a list
    only_if: tuple[str, str] | None = None  # (key, value): has an effect only if that setting has that value
    hint: Any = str  # the annotated type

    @property
    def kind(self) -> Any:
        """The Python type of a value: `tuple` of a list, `str` of a word."""
        kind = get_origin(self.hint) or self.hint
        return str if kind is Literal else kind

    @property
    def entry(self) -> "Setting":
        """What is declared of one entry of a list."""
        return replace(self, hint=get_args(self.hint)[0])

    @property
    def allowed(self) -> str:
        """The values it takes, in words."""
        if self.kind is tuple:
            low, high = self.entries
            entry = self.entry.allowed if high == MOST else f"number from {low:g} to {high:g}"
            return f"list of {entry}"
        if self.one_of:
            return ", ".join(self.one_of)
        if self.below is not None:
            return f"{self.least:g} <= number < {self.below:g}"
        if self.kind in (int, float):
            return f"{'whole number' if self.kind is int else 'number'} >= {self.least:g}"
        return {bool: "true, false", str: "text", dict: "mapping"}[self.kind]


def setting(default: Default, meaning: str, **limits: Any) -> Default:
    """A field of a configuration class; `limits` are fields of `Setting`."""
    metadata = {"setting": Setting(meaning=meaning, **limits)}
    if isinstance(default, dict):
        return cast(Any, field(default_factory=default.copy, metadata=metadata))
    return field(default=default, metadata=metadata)


@lru_cache
def declared(section: type, prefix: str = "") -> Mapping[str, Setting]:
    """Dotted key -> what is declared of it, in a configuration class and in the sections inside it."""
    hints, found = get_type_hints(section), dict[str, Setting]()
    for each in fields(section):
        key, hint = f"{prefix}{each.name}", hints[each.name]
        if is_dataclass(hint):
            found |= declared(hint, f"{key}.")
        elif "setting" in each.metadata:
            entry = get_args(hint)[0] if get_origin(hint) is tuple else hint
            described: Setting = each.metadata["setting"]
            words = get_args(entry) if get_origin(entry) is Literal else described.one_of
            found[key] = replace(described, hint=hint, one_of=words)
    return found

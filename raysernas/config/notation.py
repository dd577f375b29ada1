"""How values are written, in a file and in `key=value` alike: YAML 1.2, read with its setting in mind.

In: text. Out: mappings, lists and text, none of it converted yet. Text without quotes stays `Unquoted` until
its setting is known: 010 is ten where a number is meant, and a name where text is meant (`meant`).
"""

import re
from collections.abc import Iterator
from typing import Any

import yaml
from yaml.error import MarkedYAMLError

DEPTH = 12  # of mappings and lists inside one another; a study has four
WHOLE = re.compile(r"[-+]?[0-9]{1,99}")
OTHER_WHOLE = re.compile(r"0o[0-7]{1,99}|0x[0-9a-fA-F]{1,99}")
NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
# YAML writes infinity with a dot; the word `inf` is text
SPECIAL = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
NOTHING = ("", "~", "null", "Null", "NULL")
TRUTH = {"true": True, "false": False}
SWITCH = TRUTH | {"yes": True, "no": False, "on": True, "off": False}  # where only true or false is meant


class Unquoted(str):
    """A scalar as it was written, without quotes."""

    __slots__ = ()


def meant(text: Unquoted, kind: type) -> Any:
    """What unquoted text means for a setting of this Python type; of another type if it cannot mean that.

    Of `null` and of no text at all: None.
    """
    if kind is str:
        return None if text in NOTHING else str(text)
    stripped = text.strip()
    if kind is bool and stripped.lower() in SWITCH:
        return SWITCH[stripped.lower()]
    return _scalar(stripped)


def resolved(value: Any) -> Any:
    """A value with all unquoted text in it read as YAML 1.2 reads it, where no setting says what is meant."""
    if isinstance(value, dict):
        return {key: resolved(each) for key, each in value.items()}
    if isinstance(value, list):
        return [resolved(each) for each in value]
    return _scalar(value) if isinstance(value, Unquoted) else value


def _scalar(text: str) -> Any:
    if text in NOTHING:
        return None
    if text.lower() in TRUTH and (text.islower() or text.istitle() or text.isupper()):
        return TRUTH[text.lower()]
    if WHOLE.fullmatch(text):
        return int(text)
    if OTHER_WHOLE.fullmatch(text):
        return int(text, 0)
    if NUMBER.fullmatch(text):
        return float(text)
    return float(text.replace(".", "")) if SPECIAL.fullmatch(text) else str(text)


def read(text: str, *, with_comments: bool = True) -> Any:
    """The one YAML document in a text; None for an empty one.

    Args:
        with_comments: whether anything may follow the value.

    Raises:
        YAMLError: for what is not YAML, a key that stands twice, an alias, and a tag.
    """
    try:
        found = list(yaml.parse(text, Loader=yaml.CSafeLoader))
    except MarkedYAMLError as error:
        mark = error.problem_mark
        if mark and "".join(text.split("\n")[mark.line :][:1])[mark.column :].startswith("\t"):
            error.problem = "found a tab where only spaces may stand"
        raise
    found = found[1:-1]  # without begin and end of the stream
    if not found:
        return None
    *found, last, _ = found
    if not with_comments and last.end_mark.index < len(text):
        raise MarkedYAMLError(problem="found more text after the value", problem_mark=last.end_mark)
    events = iter([*found, last])
    next(events)  # the document begins
    value = _node(events, next(events), DEPTH)
    if (another := next(events, None)) is not None:
        raise _error("found a second document", another)
    return value


def _node(events: Iterator[yaml.Event], event: yaml.Event, depth: int) -> Any:
    """The value that begins with this event."""
    if isinstance(event, yaml.AliasEvent):
        raise _error("found an alias; write the value again", event)
    if tag := getattr(event, "tag", None):
        raise _error(f"found the tag {tag}; tags are not supported", event)
    if isinstance(event, yaml.ScalarEvent):
        return event.value if event.style else Unquoted(event.value)
    if not depth:
        raise _error("found values too deep inside one another", event)
    if isinstance(event, yaml.SequenceStartEvent):
        return [_node(events, each, depth - 1) for each in _until(events, yaml.SequenceEndEvent)]
    mapping = {}
    for each in _until(events, yaml.MappingEndEvent):
        key = _node(events, each, 0)
        if key in mapping:
            raise _error(f"found duplicate key {key}", each)
        mapping[str(key)] = _node(events, next(events), depth - 1)
    return mapping


def _until(events: Iterator[yaml.Event], end: type[yaml.Event]) -> Iterator[yaml.Event]:
    for event in events:
        if isinstance(event, end):
            return
        yield event


def _error(problem: str, event: yaml.Event) -> MarkedYAMLError:
    return MarkedYAMLError(problem=problem, problem_mark=event.start_mark)

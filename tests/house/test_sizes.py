"""Files and functions are short enough to be read at once, and all are formatted (ruff sees to the lines)."""

from tests.support.sources import SOURCES, functions, name_of, none_of, text_of

FILE_LINES, FUNCTION_LINES = 400, 60


def test_a_file_is_read_in_one_go() -> None:
    lengths = {path: len(text_of(path).splitlines()) for path in SOURCES}
    none_of([f"{name_of(path)}: {length} lines" for path, length in lengths.items() if length > FILE_LINES])


def test_a_function_is_seen_at_once() -> None:
    none_of(
        [
            f"{name_of(path)}: {node.name} has {length} lines"
            for path in SOURCES
            for node in functions(path)
            if (length := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES
        ]
    )


def test_nothing_is_kept_from_the_formatter() -> None:
    none_of([name_of(path) for path in SOURCES if "# fmt" + ":" in text_of(path)])

"""The READMEs keep their word: what they mention exists, and what they show parses."""

import ast
import re
from dataclasses import fields, is_dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from raysernas.config.schema import Config
from tests.support.recipes import recipes
from tests.support.sources import PAGES, ROOT, name_of, none_of, text_of

FIRST = ROOT / "README.md"
FIRST_BYTES = 9 * 1024
FOLDERS = (
    *("raysernas", "raysernas/search", "raysernas/corpora", "raysernas/fleet"),
    *("configs", "clusters", "analysis", "tests"),
)
IGNORED = [line.strip().strip("/") for line in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()]
OURS = ("raysernas", "analysis", "tests")
PATH = re.compile(r"[\w.-]+(/[\w.*-]+)*(/|\.(py|yaml|toml|md|sh|txt))")
BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def test_every_page_is_there() -> None:
    none_of([name for name in FOLDERS if not (ROOT / name / "README.md").is_file()])


def test_the_first_page_is_short_and_names_every_folder() -> None:
    assert len(FIRST.read_bytes()) <= FIRST_BYTES
    found = [path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")]
    folders = [name for name in found if not any(fnmatch(name, pattern) for pattern in IGNORED if pattern)]
    assert {"raysernas", "tests", "configs", "analysis"} <= set(folders)
    none_of([name for name in sorted(folders) if f"{name}/" not in text_of(FIRST)])


def test_what_a_page_links_to_exists() -> None:
    """A link leads from the folder of its page, as any code host reads it."""
    none_of(
        [
            f"{name_of(page)}: {link}"
            for page in PAGES
            for link in re.findall(r"\]\(([^)#\s]+)", text_of(page))
            if "://" not in link and not (page.parent / link).exists()
        ]
    )


def test_the_paths_that_a_page_mentions_exist() -> None:
    """From the root, from the page's folder, or inside the packages, where the map of the code stands.

    Not what a run will write, what stands for the user's own paths, or what the page itself creates.
    """
    none_of(
        [
            f"{name_of(page)}: {path}"
            for page in PAGES
            for path in sorted(_mentioned(page) - _created(page))
            if not any(any(start.glob(path.rstrip("/"))) for start in _starts(page))
        ]
    )


def _mentioned(page: Path) -> set[str]:
    prose = BLOCK.sub(lambda found: found[0] if found[2] in ("", "sh") else "", text_of(page))
    words = [word for span in re.findall(r"`+([^`]+)`+", prose) for word in span.split()]
    paths = {word for word in words if PATH.fullmatch(word)}
    return {path for path in paths if not path.startswith(("PATH/", "results/", "my_", "my/"))}


def _created(page: Path) -> set[str]:
    return {edit.file for recipe in recipes(text_of(page)) for edit in recipe.edits}


def _starts(page: Path) -> list[Path]:
    packages = [ROOT / "raysernas", ROOT / "analysis", page.parent]
    return [ROOT, *packages, *(path for package in packages for path in package.iterdir() if path.is_dir())]


def test_the_commands_of_a_page_exist() -> None:
    commands = [(page, name) for page in PAGES for name in re.findall(r"python -m ([\w.]+)", text_of(page))]
    none_of(
        [
            f"{name_of(page)}: python -m {name}"
            for page, name in commands
            if name.split(".")[0] in OURS
            and not (ROOT / f"{name.replace('.', '/')}.py").is_file()
            and not (ROOT / name.replace(".", "/") / "__main__.py").is_file()
        ]
    )


def test_the_settings_that_a_page_mentions_exist() -> None:
    """Words in code such as `search.alphas_lr` or `study.seeds=[0,1]`."""
    words = [
        (page, word)
        for page in PAGES
        for span in re.findall(r"`+([^`]+)`+", text_of(page))
        for word in re.findall(r"(?<![\w./-])[a-z]+\.[a-z_]+(?:\.[a-z_]+)*(?![\w/(])", span)
    ]
    sections = {each.name for each in fields(Config)}
    none_of(
        [
            f"{name_of(page)}: {word}"
            for page, word in words
            if (parts := word.split("."))[0] in sections
            and parts[-1] not in ("py", "yaml", "csv", "md", "txt")
            if not _is_setting(Config(), parts)
        ]
    )


def _is_setting(config: Any, parts: list[str]) -> bool:
    """Whether the names lead, section by section, to a setting, or to a key of one that is a table."""
    for name in parts:
        if not is_dataclass(config):
            return isinstance(config, dict)
        if name not in {each.name for each in fields(config)}:
            return False
        config = getattr(config, name)
    return True


def test_the_code_that_a_page_shows_parses() -> None:
    """Blocks marked as python; the entries of a table that a how-to-add section shows stand in one."""
    none_of(
        [
            f"{name_of(page)}: {text}"
            for page in PAGES
            for _, language, text in BLOCK.findall(text_of(page))
            if language == "python" and not _parses(text)
        ]
    )


def _parses(text: str) -> bool:
    """As a module, or, where the first line says in which literal the others belong, as entries of one."""
    lines = text.splitlines()
    entries = [line for line in lines[1:] if not line.startswith(("from ", "import "))]
    literals = [f"_ = {{{' '.join(entries)}}}", f"_ = [{' '.join(entries)}]"]
    inserted = bool(lines) and re.match(r"# \S+, in \w+$", lines[0])
    for source in literals if inserted else [text]:
        try:
            ast.parse(source)
        except SyntaxError:
            continue
        return True
    return False

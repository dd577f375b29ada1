"""The whole report as one HTML file that needs no network and permits none.

In: `Results`. Out: text. The page allows its own script and style by their hashes and forbids everything
else, so that a text of a ledger could do no harm even if it were not escaped.
"""

import base64
import hashlib
import time
from importlib.resources import files

from analysis.loading import Results
from analysis.report.markup import Markup, tag, trusted
from analysis.report.pieces import Section
from analysis.report.sections import (
    answer,
    architectures,
    arms,
    cost,
    emotions,
    failures,
    folds,
    learning,
    pairs,
    protocol,
    speakers,
    trials,
    variance,
)
from raysernas.drawing import palette
from raysernas.drawing.shapes import Picture

SECTIONS: dict[str, Section] = {  # id -> section, in the order of the page
    "answer": Section("Answer", answer.contents, (answer.folds_of_arms,)),
    "arms": Section("Arms", arms.contents),
    "pairs": Section("Pairs of arms", pairs.contents, (pairs.differences,)),
    "folds": Section("Folds", folds.contents, (folds.profiles,)),
    "classes": Section("Emotions", emotions.contents, (emotions.confusions, emotions.recalls)),
    "speakers": Section("Speakers", speakers.contents, (speakers.by_arm,)),
    "learning": Section("Learning and search", learning.contents, (learning.by_epoch,)),
    "architectures": Section(
        "Architectures",
        architectures.contents,
        (architectures.cells, architectures.alphas_by_epoch, architectures.operations),
    ),
    "cost": Section("Cost", cost.contents, (cost.drawings,)),
    "components": Section("Variance", variance.contents, (variance.deviations, variance.importance)),
    "protocol": Section("Protocol", protocol.contents),
    "failures": Section("Failures", failures.contents),
    "trials": Section("Trials", trials.contents),
}
FOOT = (
    "Made by python -m analysis from the ledger alone. UA is the mean recall of the classes, WA the share of "
    "right "
    "answers. Test scores decide nothing."
)


def page(results: Results, *, refresh_s: int = 0) -> str:
    """The report.

    Args:
        refresh_s: how often the page reloads itself while a study runs; 0 = never.
    """
    title = results.names[0] if len(results.names) == 1 else f"{len(results.names)} studies"
    style, script = palette.style() + _asset("page.css"), _asset("page.js")
    own = f"style-src '{_hash(style)}'; script-src '{_hash(script)}'"
    rules = f"default-src 'none'; {own}; img-src data:; base-uri 'none'; form-action 'none'"
    head = tag(
        "head",
        None,
        tag("meta", {"charset": "utf-8"}),
        tag("meta", {"http-equiv": "Content-Security-Policy", "content": rules}),
        tag("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        tag("meta", {"name": "color-scheme", "content": "light dark"}),
        tag("title", None, f"{title}: results"),
        tag("style", None, trusted(style)),
    )
    sections = [_section(results, name, section) for name, section in SECTIONS.items()]
    main = tag("main", {"id": "main", "tabindex": "-1"}, *sections)
    footer = tag("footer", None, tag("p", None, FOOT))
    body = tag(
        "body",
        None,
        tag("a", {"class": "skip", "href": "#main"}, "Skip to the answer"),
        tag("div", {"class": "frame"}, _top(), _contents(), main, footer),
        tag("script", None, trusted(script)),
    )
    watched = {"data-refresh-s": refresh_s, "data-written": time.strftime("%H:%M:%S")} if refresh_s else {}
    return "<!doctype html>\n" + tag("html", {"lang": "en", **watched}, head, body) + "\n"


def figures(results: Results) -> dict[str, Picture]:
    """Every figure of the page, by a name that is fit for a file: `study-caption`."""
    found: dict[str, Picture] = {}
    drawn = [part for section in SECTIONS.values() for part in section.drawn]
    for study in results.names:
        for figure in (each for part in drawn for each in part(results, study)):
            text = f"{study} {figure.caption}".lower()
            plain = "".join(letter if letter.isalnum() else "-" for letter in text)
            name = "-".join(word for word in plain.split("-") if word)
            same = sum(each.partition("--")[0] == name for each in found)  # names may differ in signs only
            found[f"{name}--{same + 1}" if same else name] = figure.picture
    return found


def _section(results: Results, name: str, section: Section) -> Markup:
    label = {"id": name, "aria-labelledby": f"{name}-title"}
    if name == "answer":  # has a title of its own, the only h1
        return tag("section", {"id": name, "class": "answer", **label}, *section.contents(results))
    heading = tag("h2", {"id": f"{name}-title", "tabindex": "-1"}, section.title)
    return tag("section", label, heading, *section.contents(results))


def _top() -> Markup:
    theme = tag("button", {"type": "button", "id": "theme", "hidden": True}, "Theme: auto")
    return tag("header", {"class": "top"}, tag("span", None, "Report of raysernas"), theme)


def _contents() -> Markup:
    links = [tag("li", None, tag("a", {"href": f"#{name}"}, each.title)) for name, each in SECTIONS.items()]
    listed = tag("details", None, tag("summary", None, "Contents"), tag("ol", None, *links))
    return tag("nav", {"class": "contents", "aria-label": "Contents"}, listed)


def _asset(name: str) -> str:
    return files("analysis.report").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

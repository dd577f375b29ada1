"""The whole report as one HTML file that needs no network and permits none.

Comes in: findings. Goes out: text. Scripts and styles are our own and allowed by their hashes; everything
else is forbidden to the page, so that a label of a ledger could do no harm even if it were not escaped.
"""

import base64
import hashlib
import time
from collections.abc import Sequence
from importlib.resources import files

import pandas as pd

from analysis.report import classes, costs, gallery, provenance, scores, searches, wording
from analysis.report.findings import NESTED, Findings, marked
from analysis.report.markup import Markup, tag, trusted
from analysis.report.pieces import figure
from raysernas.drawing import palette

BELOW = ("caution", "marks")  # kinds of sentences that stand below the others
CONTENTS = {
    "answer": "Answer",
    "arms": "Arms",
    "pairs": "Pairs of arms",
    "folds": "Folds",
    "classes": "Emotions",
    "speakers": "Speakers",
    "learning": "Learning and search",
    "architectures": "Architectures",
    "cost": "Cost",
    "components": "Variance",
    "protocol": "Protocol",
    "failures": "Failures",
    "trials": "Trials",
}


def page(found: Findings, *, refresh_s: int = 0) -> str:
    """The report.

    Args:
        refresh_s: of a page that is written anew while a study runs: so often it reads itself again; 0 = it
            does not.
    """
    rows = marked(found.trials, found.of("chosen"))
    title = found.studies[0] if len(found.studies) == 1 else f"{len(found.studies)} studies"
    style = palette.style() + _asset("page.css")
    script = _asset("page.js")
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
    body = tag(
        "body",
        None,
        tag("a", {"class": "skip", "href": "#main"}, "Skip to the answer"),
        tag(
            "div",
            {"class": "frame"},
            _top(found),
            _contents(),
            tag("main", {"id": "main", "tabindex": "-1"}, *_sections(found, rows)),
            _foot(),
        ),
        tag("script", None, trusted(script)),
    )
    watched = {"data-refresh-s": refresh_s, "data-written": time.strftime("%H:%M:%S")} if refresh_s else {}
    return "<!doctype html>\n" + tag("html", {"lang": "en", **watched}, head, body) + "\n"


def _sections(found: Findings, rows: pd.DataFrame) -> list[Markup]:
    return [
        _answer(found),
        scores.arms(found),
        scores.pairs(found),
        scores.folds(found),
        classes.classes(found),
        classes.speakers(found),
        searches.learning(found),
        searches.architectures(found),
        costs.cost(found),
        costs.components(found),
        provenance.protocol(found),
        provenance.failures(found),
        provenance.every_trial(found, rows),
    ]


def _answer(found: Findings) -> Markup:
    """What the page begins with: the answer in words, the folds behind it, and what to beware of."""
    single = len(found.studies) == 1
    title = found.studies[0] if single else f"{len(found.studies)} studies"
    parts: list[Markup | None] = [tag("h1", {"id": "answer-title"}, title)]
    if single:
        parts.append(tag("p", {"class": "question"}, _question(found, found.studies[0])))
    for study in found.studies:
        told = list(found.answers.get(study, ())) or [
            ("best", "Nothing can be said yet: no arm has a score on every fold.")
        ]
        name = None if single else tag("h2", None, study)
        words = tag(
            "div",
            None,
            *[each for kind, sentence in told if kind not in BELOW for each in _said(kind, sentence)],
        )
        drawn = [figure(each) for each in gallery.answer(found, study)]
        parts += [
            name,
            tag("div", {"class": "split"}, words, *drawn),
            _beware(found, study, [sentence for kind, sentence in told if kind == "caution"]),
        ]
    return tag("section", {"id": "answer", "class": "answer", "aria-labelledby": "answer-title"}, *parts)


def _question(found: Findings, study: str) -> str:
    """What was asked, in a line."""
    config, arms = found.configs[study], found.of("arms", study)
    folds = int(arms["planned_folds"].max()) if len(arms) else len(config.study.folds)
    ended = found.trials.loc[found.trials["study"] == study, "trial"].nunique()
    parts = [
        config.corpus.name,
        wording.counted(len(config.study.arms), "arm"),
        wording.counted(folds, "fold") if folds else None,
    ]
    parts += [wording.counted(len(config.study.seeds), "seed"), f"{wording.counted(ended, 'trial')} ended"]
    return " · ".join(part for part in parts if part)


def _said(kind: str, sentence: str) -> list[Markup]:
    """A paragraph; the answer itself is cut in two, so that what is read first is short."""
    if kind != "best":
        return [tag("p", {"class": "more"}, sentence)]
    head, _, tail = sentence.partition(" (")
    if not tail:
        return [tag("p", {"class": "lead"}, head)]
    rest = tail.replace(").", ".", 1)
    return [tag("p", {"class": "lead"}, f"{head}."), tag("p", {"class": "more"}, rest[:1].upper() + rest[1:])]


def _beware(found: Findings, study: str, cautions: Sequence[str]) -> Markup | None:
    """What the marks of the headline mean, and what else to beware of."""
    marks = found.marked(study, NESTED)
    if not marks and not cautions:
        return None
    told = [tag("p", None, tag("strong", None, word), f": {meaning}") for word, meaning in marks.items()]
    told += [tag("p", None, each) for each in cautions]
    return tag(
        "div",
        {"class": "warnings", "role": "note", "aria-label": f"Beware of these scores of {study}"},
        *told,
    )


def _top(found: Findings) -> Markup:
    return tag(
        "header",
        {"class": "top"},
        tag("span", None, "Report of raysernas"),
        tag("button", {"type": "button", "id": "theme", "hidden": True}, "Theme: auto"),
    )


def _contents() -> Markup:
    links = [tag("li", None, tag("a", {"href": f"#{name}"}, title)) for name, title in CONTENTS.items()]
    return tag(
        "nav",
        {"class": "contents", "aria-label": "Contents"},
        tag("details", None, tag("summary", None, "Contents"), tag("ol", None, *links)),
    )


def _foot() -> Markup:
    told = (
        "Made by python -m analysis from the ledger alone. UA is the mean recall of the classes, WA the "
        "share of right answers. "
        "Test scores decide nothing."
    )
    return tag("footer", None, tag("p", None, told))


def _asset(name: str) -> str:
    return files("analysis.report").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

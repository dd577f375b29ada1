"""The answer in words, the folds behind it, and what to beware of. The page begins with it."""

from collections.abc import Iterator, Sequence

from analysis.figures import dots
from analysis.loading import Results
from analysis.report import links, values
from analysis.report.markup import Child, Markup, tag
from analysis.report.pieces import HOLLOW, Figure, figure
from analysis.selection import HEADLINE

BESIDE = ("caution", "marks")  # kinds of sentences that are not part of the answer
NOTHING = ("best", "Nothing can be said yet: no arm has a score on every fold.")


def contents(results: Results) -> Iterator[Child]:
    """Each study's answer beside its figure."""
    single = len(results.names) == 1
    title = results.names[0] if single else f"{len(results.names)} studies"
    yield tag("h1", {"id": "answer-title"}, title)
    if single:
        yield tag("p", {"class": "question"}, _question(results, results.names[0]))
    for study in results.names:
        found = results.rows("answers", study)
        said = list(zip(found["kind"], found["sentence"], strict=True)) if len(found) else [NOTHING]
        words = [part for kind, sentence in said if kind not in BESIDE for part in _said(kind, sentence)]
        drawn = [figure(each) for each in folds_of_arms(results, study)]
        yield None if single else tag("h2", None, study)
        yield tag("div", {"class": "split"}, tag("div", None, *words), *drawn)
        yield _beware(results, study, [sentence for kind, sentence in said if kind == "caution"])


def folds_of_arms(results: Results, study: str) -> Iterator[Figure]:
    """Arms by UA, with the folds behind each mean."""
    if len(rows := results.rows("folds", study, HEADLINE)):
        lead = links.of_marks(results, study)
        picture = dots.folds(rows, results.ranked(study), results.complete(study), lead)
        yield Figure("Test UA by arm", picture, HOLLOW.format("fold"))


def _question(results: Results, study: str) -> str:
    """What was compared, in a line."""
    config, arms = results.configs[study], results.rows("arms", study)
    folds = int(arms["planned_folds"].max()) if len(arms) else len(config.study.folds)
    ended = results.trials.loc[results.trials["study"] == study, "trial"].nunique()
    parts = [
        config.corpus.name,
        values.counted(len(config.study.arms), "arm"),
        values.counted(folds, "fold") if folds else None,
        values.counted(len(config.study.seeds), "seed"),
        f"{values.counted(ended, 'trial')} ended",
    ]
    return " · ".join(part for part in parts if part)


def _said(kind: str, sentence: str) -> list[Markup]:
    """A paragraph; the answer itself becomes two, so that the first is short."""
    if kind != "best":
        return [tag("p", {"class": "more"}, sentence)]
    head, _, tail = sentence.partition(" (")
    if not tail:
        return [tag("p", {"class": "lead"}, head)]
    rest = tail.replace(").", ".", 1)
    return [tag("p", {"class": "lead"}, f"{head}."), tag("p", {"class": "more"}, rest[:1].upper() + rest[1:])]


def _beware(results: Results, study: str, cautions: Sequence[str]) -> Markup | None:
    """What the marks of the headline mean, and the other cautions."""
    marks = results.marks(study, HEADLINE)
    if not marks and not cautions:
        return None
    lines = [tag("p", None, tag("strong", None, word), f": {meaning}.") for word, meaning in marks.items()]
    lines += [tag("p", None, each) for each in cautions]
    label = f"Beware of these scores of {study}"
    return tag("div", {"class": "warnings", "role": "note", "aria-label": label}, *lines)

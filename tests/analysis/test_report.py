"""The report as a page: complete, safe whatever a ledger holds, every number linked, no network needed."""

import base64
import hashlib
import json
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.loading import Results
from analysis.report import links, markup, values
from analysis.report.build import FRAMES
from analysis.report.page import page
from analysis.report.sections import cost, learning
from analysis.report.sections.trials import columns
from raysernas.drawing.shapes import Words
from tests.support.pages import Page
from tests.support.results import by_hand, changed, together

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)> \"'\x00&\u202e"
SLOW = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def found() -> Results:
    return by_hand(marks={"optimistic": "one fold's validation speakers are another's test speakers"})


@pytest.fixture(scope="module")
def read(found: Results) -> Page:
    return Page(page(found))


# --- whole


def test_every_element_is_closed_and_ids_are_unique(read: Page) -> None:
    assert (read.odd, read.opened) == ([], [])
    assert len(set(read.identities)) == len(read.identities)


def test_it_begins_with_the_answer(read: Page) -> None:
    main = next(i for i, element in enumerate(read.elements) if element.name == "main")
    first = [element for element in read.elements[main:] if element.name in ("p", "table")]
    assert [element.text for element in first if element.attributes.get("class") in ("lead", "more")] == [
        "The answer.",
        "How sure it is.",
    ]
    assert first[1].text == "The answer."


def test_every_section_has_a_heading_and_is_in_the_contents(read: Page) -> None:
    for part in read.named("section"):
        assert part.attributes["aria-labelledby"] in read.identities
    inside = [link for link in read.links if not link.startswith("#trials?")]
    assert inside
    assert {link.removeprefix("#") for link in inside} <= set(read.identities)
    assert {part.attributes["id"] for part in read.named("section")} <= {
        link.removeprefix("#") for link in inside
    }


def test_every_table_has_the_mark_and_the_protocol(read: Page) -> None:
    captions = read.named("caption")
    assert len(captions) == len(read.named("table")) > 8
    assert all("optimistic" in caption.text for caption in captions)
    assert sum(each.attributes.get("class") == "source" for each in read.named("p")) == len(captions)


def test_headings_of_tables_are_headings_and_sort_by_buttons(read: Page) -> None:
    heads = [element for element in read.elements if element.name == "th" and "thead" in element.parents]
    assert heads
    assert all(head.attributes["scope"] == "col" for head in heads)
    assert sum(each.name == "button" and "thead" in each.parents for each in read.elements) == len(heads)


def test_the_oracle_is_called_forbidden_and_its_scores_are_nowhere_else(found: Results) -> None:
    arms = found.arms.copy()
    arms.loc[arms["selection"] == "oracle", ["ua", "wa", "f1", "pooled_ua", "pooled_wa", "pooled_f1"]] = (
        0.98765
    )
    read = Page(page(changed(found, arms=arms)))
    cells = [element for element in read.elements if element.name == "td" and "98.8" in element.text]
    assert len(cells) == 6 * 3
    assert all("details" in cell.parents for cell in cells)
    assert any("forbidden" in element.text.lower() for element in read.named("summary"))


# --- every number leads to its rows


@pytest.mark.parametrize("seed", range(3))
def test_every_link_finds_trials(seed: int) -> None:
    read = Page(page(by_hand(seed=seed, failed=0.1, arms=("darts", "random"), folds=3)))
    links = {link for link in read.links if link.startswith("#trials?")}
    assert len(links) > 20
    none_failed = [link for link in links if not read.rows(link)]
    told = {element.text for element in read.elements if element.attributes.get("href") in none_failed}
    assert told <= {"0"}, "a link that finds nothing stands on a number that is not 0"


def test_a_count_links_to_as_many_rows(read: Page, found: Results) -> None:
    failed = found.trials[found.trials["status"] == "failed"].groupby("arm").size()
    for arm, count in failed.items():
        assert len(read.rows(f"#trials?arm={arm}&status=failed")) == count
        link = next(link for link in read.links if link == f"#trials?arm={arm}&status=failed")
        assert {e.text for e in read.elements if e.attributes.get("href") == link} == {str(count)}


def test_the_score_of_a_fold_is_the_mean_of_the_rows_it_links_to(read: Page, found: Results) -> None:
    ua = next(column for column in read.trials["columns"] if column["name"] == "test_ua")["values"]
    folds = found.rows("folds", selection="nested")
    for row in folds.to_dict("records"):
        rows = read.rows(f"#trials?arm={row['arm']}&fold={row['fold']}&chosen=nested")
        assert np.mean([ua[i] for i in rows]) == pytest.approx(row["ua"], abs=1e-5)


def test_a_fold_without_an_emotion_says_so_beside_its_scores(found: Results, read: Page) -> None:
    lacking = found.folds.assign(lacks=np.where(found.folds["fold"] == 0, "test: fear", ""))
    cells = [each.text for each in Page(page(changed(found, folds=lacking))).named("td")]
    assert cells.count("test: fear") == 1
    assert "emotions without utterances" not in {each.text for each in read.named("button")}


def test_every_link_names_the_study_if_there_are_several(found: Results) -> None:
    other = by_hand(study="other", seed=1)
    both = together(found, other)
    read = Page(page(both))
    assert all("study=" in link for link in read.links if link.startswith("#trials?"))
    assert len(set(read.identities)) == len(read.identities)


# --- safe


def unsafe(read: Page) -> list[str]:
    """What no page of ours may hold: other scripts, handlers, styles of elements, addresses outside."""
    scripts = [each.attributes for each in read.named("script")]
    bad = [
        str(each) for each in scripts if each not in ({"type": "application/json", "id": "trials-data"}, {})
    ]
    for element in read.elements:
        for name, value in element.attributes.items():
            outside = name in ("href", "src", "action", "xlink:href") and not value.startswith(
                ("#", "data:image/png;base64,")
            )
            if name.startswith("on") or name == "style" or outside:
                bad.append(f"{element.name} {name}={value}")
    return bad


def test_the_page_needs_no_network(read: Page) -> None:
    assert unsafe(read) == []
    whole = [element.text for element in read.elements if element.name in ("style", "script")]
    assert not any(
        re.search(r"https?:|@import|url\(|fetch\(|XMLHttpRequest|import\(", text) for text in whole
    )


def test_only_our_own_script_and_style_are_permitted(read: Page) -> None:
    rules = next(each.attributes["content"] for each in read.named("meta") if "http-equiv" in each.attributes)
    assert rules.startswith("default-src 'none'; ")
    for name in ("style", "script"):
        own = [each.text for each in read.named(name) if not each.attributes]
        assert len(own) == 1
        digest = base64.b64encode(hashlib.sha256(own[0].encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in rules
    assert "unsafe" not in rules


def test_labels_of_a_ledger_stay_text() -> None:
    found = by_hand(
        emotions=(HOSTILE, "joy"), reason=HOSTILE, answers=(HOSTILE,), marks={HOSTILE: HOSTILE}, failed=0.5
    )
    read = Page(
        page(changed(found, remarks=(HOSTILE,), cards={name: {HOSTILE: HOSTILE} for name in found.names}))
    )
    assert unsafe(read) == []
    assert not read.named("img")
    assert (read.odd, read.opened) == ([], [])
    assert "alert(1)" in next(each.text for each in read.named("p") if each.attributes.get("class") == "lead")
    reasons = next(column for column in read.trials["columns"] if column["name"] == "reason")
    assert reasons["levels"] == [HOSTILE]


@SLOW
@given(text=st.text(min_size=1), emotions=st.lists(st.text(min_size=1), min_size=1, max_size=4, unique=True))
def test_no_text_whatever_breaks_the_page(text: str, emotions: list[str]) -> None:
    found = by_hand(
        arms=("darts",), folds=2, epochs=2, emotions=emotions, reason=text, answers=(text,), failed=0.5
    )
    html = page(changed(found, remarks=(text,)))
    read = Page(html)
    assert html.encode()
    assert (read.odd, unsafe(read)) == ([], [])


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_data_comes_back_as_it_was(value: object) -> None:
    element = markup.data("x", value)
    inner = element[element.index(">") + 1 : element.rindex("</script>")]
    assert "<" not in inner
    assert json.loads(inner) == value


# --- nothing is invented


@pytest.mark.parametrize(
    "lost", ["chosen", "arms", "folds", "classes", "speakers", "pairs", "cost", "components", "histories"]
)
def test_a_missing_frame_does_not_break_the_page(found: Results, lost: str) -> None:
    read = Page(page(changed(found, **{lost: pd.DataFrame()})))
    assert (read.odd, unsafe(read)) == ([], [])


def test_every_section_of_an_empty_study_says_so(found: Results) -> None:
    empty = dict.fromkeys(FRAMES, pd.DataFrame())
    trials, choices = found.trials.iloc[:0], {key: [] for key in found.names}
    nothing = changed(found, **empty, trials=trials, choices=choices, cards={}, marked={}, remarks=())
    read = Page(page(nothing))
    assert not read.named("table")
    assert "Nothing can be said yet" in next(
        each.text for each in read.named("p") if each.attributes.get("class") == "lead"
    )
    assert all(len(part.text) > 25 for part in read.named("section"))


def test_the_draws_of_a_random_search_are_not_epochs(found: Results) -> None:
    table = found.histories
    draws = table[table["stage"] == "search"].assign(arm="random", loss=99.0)
    both = changed(found, histories=pd.concat([table, draws]))
    assert [each.picture for each in learning.by_epoch(both, found.names[0])] == [
        each.picture for each in learning.by_epoch(found, found.names[0])
    ]


def test_unknown_hours_are_not_drawn(found: Results) -> None:
    table = found.cost
    lost = table.assign(seconds=table["seconds"].where(table["purpose"] != "retrain"))
    drawn = next(cost.hours(changed(found, cost=lost), found.names[0]))
    assert drawn.note == "Not drawn, because unknown: retrain."
    assert "retrain" not in " ".join(shape.text for shape in drawn.picture.shapes if isinstance(shape, Words))


def test_without_candidates_the_page_has_no_selections() -> None:
    read = Page(page(by_hand(candidates=1)))
    heads = [each.text for each in read.named("th")]
    assert "UA" in heads
    assert not {"UA, nested", "UA, flat", "UA, oracle"} & {*heads}
    assert "no candidate was chosen" in next(
        part.text for part in read.named("section") if part.attributes.get("id") == "arms"
    )


def test_an_unknown_number_is_a_dash(found: Results) -> None:
    arms = found.arms.copy()
    arms.loc[arms["arm"] == "darts", ["ua", "ua_sd", "wa", "parameters", "best_fold", "best_ua"]] = np.nan
    read = Page(page(changed(found, arms=arms)))
    assert (
        "nan"
        not in " ".join(each.text for each in read.elements if each.name in ("td", "th", "p", "li", "dd"))
        .lower()
        .split()
    )
    cells = [each for each in read.named("td") if "unknown" in each.text]
    assert len(cells) >= 5
    assert not any("data-v" in cell.attributes for cell in cells)


@pytest.mark.parametrize(
    ("told", "text"),
    [
        (values.percent(0.7216), "72.2"),
        (values.points(-0.0216), "−2.2"),
        (values.points(0.05), "+5.0"),
        (values.count(74200), "74\u202f200"),
        (values.chance(0.0004), "< .001"),
        (values.chance(1), "1.000"),
        (links.address({"arm": ["a", "b"], "fold": 2}), "#trials?arm=a&arm=b&fold=2"),
        (values.counted(1, "fold"), "1 fold"),
    ],
)
def test_how_numbers_are_written(told: str, text: str) -> None:
    assert told == text


# --- many trials


def test_ten_thousand_trials_are_data_not_elements() -> None:
    few, many = by_hand(folds=10, seeds=1, candidates=34), by_hand(folds=10, seeds=10, candidates=34)
    assert len(many.trials) == 10_200
    small, large = Page(page(few)), page(many)
    assert len(Page(large).elements) <= len(small.elements) * 1.05
    assert len(large) < 4_000_000


def test_a_setting_that_some_arms_do_not_read_is_still_the_same_in_all_trials(found: Results) -> None:
    reads = found.trials["arm"] == "darts"
    shown, same = columns(
        found.trials.assign(
            **{"search.epochs": np.where(reads, 25.0, np.nan), "search.seed": np.where(reads, 1, 2)}
        )
    )
    assert same["search.epochs"] == "25.0"
    assert "search.epochs" not in {column["name"] for column in shown}
    assert "search.seed" in {column["name"] for column in shown}


def test_trials_keep_their_values(read: Page, found: Results) -> None:
    for column in read.trials["columns"]:
        own = found.trials[column["name"]].tolist() if column["name"] in found.trials else None
        if own is None:
            continue
        for value, kept in zip(own, column["values"], strict=True):
            if "levels" in column:
                assert (column["levels"][kept] if kept >= 0 else "") == str(value)
            else:
                assert (kept is None) if pd.isna(value) else kept == pytest.approx(value, rel=1e-5)

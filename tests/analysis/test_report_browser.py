"""The report in a browser: no errors, no serious accessibility faults, working filters and sorting."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.common.exceptions import TimeoutException
from selenium.webdriver.support.ui import WebDriverWait

from analysis.report.page import page
from tests.support import browser
from tests.support.results import by_hand

pytestmark = pytest.mark.slow
SERIOUS = ("serious", "critical")
SIZES = [(1280, False), (1280, True), (390, False), (390, True)]
ROWS = "#trials-area tbody tr"


@pytest.fixture(scope="module")
def chrome() -> Iterator[Any]:
    with browser.chromium() as found:
        yield found


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    hostile = (
        "<img src=x onerror=\"document.title='broken'\"></script><script>document.title='broken'</script>"
    )
    found = by_hand(
        marks={"optimistic": "so"},
        folds=6,
        seeds=4,
        candidates=8,
        reason=hostile,
        emotions=("anger", hostile, "喜び"),
    )
    path.write_text(page(found), encoding="utf-8")
    return path


def texts(chrome: Any, selector: str) -> list[str]:
    """The texts of all elements that a selector finds."""
    return chrome.execute_script(
        "return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent)", selector
    )


def errors(chrome: Any) -> list[str]:
    """What the console complained of."""
    return [entry["message"] for entry in chrome.get_log("browser")]


@pytest.mark.parametrize(("width", "dark"), SIZES)
def test_it_opens_without_errors_and_fits(chrome: Any, report: Path, width: int, dark: bool) -> None:
    browser.look(chrome, report, width=width, dark=dark)
    assert errors(chrome) == []
    assert chrome.execute_script("return document.documentElement.scrollWidth") <= width
    assert chrome.title == "simulated: results", "a text of the ledger was run"
    assert len(texts(chrome, ROWS)) == 50


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    return browser.axe(tmp_path_factory.mktemp("axe"))


@pytest.mark.parametrize(("width", "dark"), SIZES)
def test_axe_finds_no_serious_fault(chrome: Any, report: Path, axe: str, width: int, dark: bool) -> None:
    browser.look(chrome, report, width=width, dark=dark)
    chrome.execute_script("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    chrome.execute_script(axe)
    told = chrome.execute_async_script("const done = arguments[0]; axe.run().then(done)")
    assert len(told["passes"]) > 20
    assert [
        (each["id"], each["nodes"][0]["html"]) for each in told["violations"] if each["impact"] in SERIOUS
    ] == []


def test_a_number_links_to_its_rows_and_back(chrome: Any, report: Path) -> None:
    browser.look(chrome, report, width=1280)
    link = chrome.find_element("css selector", "#folds tbody td a")
    address = link.get_attribute("href")
    link.click()
    assert "fold=" in address
    assert chrome.current_url == address
    fold, arm = (address.partition(f"{name}=")[2].partition("&")[0] for name in ("fold", "arm"))
    rows = texts(chrome, f"{ROWS} th")
    assert 0 < len(rows) <= 4
    assert all(row.startswith(f"{arm}-c000-f{fold}-") for row in rows)
    assert chrome.execute_script("return document.activeElement.id") == "trials-title"
    chrome.back()
    chrome.execute_async_script("setTimeout(arguments[0], 100)")
    assert len(texts(chrome, f"{ROWS} th")) == 50


def test_a_link_opened_anew_shows_its_rows(chrome: Any, report: Path) -> None:
    browser.look(chrome, report, width=1280, fragment="#trials?arm=darts&status=failed")
    rows = texts(chrome, ROWS)
    assert rows
    assert all("failed" in row and row.startswith("darts-") for row in rows)


def test_pages_hold_every_row_once(chrome: Any, report: Path) -> None:
    browser.look(chrome, report, width=1280, fragment="#trials")
    seen = []
    for _ in range(100):
        seen += texts(chrome, f"{ROWS} th")
        following = chrome.find_elements("css selector", ".pager button")[1]
        if not following.is_enabled():
            break
        chrome.execute_script("arguments[0].click()", following)
    assert len(seen) == len(set(seen)) == 3 * 8 * 6 * 4


@pytest.mark.parametrize("table", ["#arms > p + .table table", "#trials-area table"])
def test_headings_sort_by_keyboard_and_say_so(chrome: Any, report: Path, table: str) -> None:
    browser.look(chrome, report, width=1280)
    head = next(
        each for each in chrome.find_elements("css selector", f"{table} thead th") if "UA" in each.text
    )
    place = chrome.execute_script("return arguments[0].cellIndex", head) + 1
    for said, descending in (("ascending", False), ("descending", True)):
        head.find_element("css selector", "button").send_keys("\ue007")
        assert head.get_attribute("aria-sort") == said
        shown = [
            float(text.split()[0])
            for text in texts(chrome, f"{table} tbody tr > :nth-child({place})")
            if text[0].isdigit()
        ]
        assert shown == sorted(shown, reverse=descending)


def test_words_find_rows_and_filters_leave_again(chrome: Any, report: Path) -> None:
    browser.look(chrome, report, width=1280)
    chrome.find_element("css selector", ".filters input").send_keys("cnn_lstm_attention-c003-f1")
    assert len(texts(chrome, ROWS)) == 4
    browser.look(chrome, report, width=1280, fragment="#trials?arm=darts&arm=random")
    assert {row.partition("-")[0] for row in texts(chrome, ROWS)} == {"darts"}
    chrome.find_element("css selector", ".chips button").click()
    assert "Rows 1 to 50 of 576" in texts(chrome, ".pager output")[0]


def test_light_and_dark_can_be_chosen(chrome: Any, report: Path) -> None:
    browser.look(chrome, report, width=1280)
    ground = "return getComputedStyle(document.body).backgroundColor"
    light = chrome.execute_script(ground)
    grounds = []
    for _ in range(3):
        chrome.find_element("id", "theme").click()
        grounds.append(chrome.execute_script(ground))
    assert grounds == [light, "rgb(19, 22, 26)", light]


def test_the_first_stop_of_the_keyboard_skips_to_the_answer(chrome: Any, report: Path) -> None:
    browser.look(chrome, report, width=1280)
    chrome.find_element("css selector", "body").send_keys("\ue004")
    assert chrome.execute_script("return document.activeElement.textContent") == "Skip to the answer"


def test_a_page_that_is_written_anew_reads_itself_again_keeps_its_place_and_can_be_held(
    chrome: Any, tmp_path: Path
) -> None:
    path = tmp_path / "report.html"
    few, more = by_hand(folds=4, candidates=1, failed=0.0), by_hand(folds=4, candidates=4, failed=0.0)
    path.write_text(page(few, refresh_s=1), encoding="utf-8")
    browser.look(chrome, path, width=1280)
    ended = texts(chrome, ".question")
    chrome.execute_script("window.scrollTo(0, 900)")
    chrome.find_element("css selector", ".fresh button").click()
    path.write_text(page(more, refresh_s=1), encoding="utf-8")
    with pytest.raises(TimeoutException):
        WebDriverWait(chrome, 3).until(lambda _: texts(chrome, ".question") not in ([], ended))
    seen = "return document.elementFromPoint(700, 300).closest('section').id"
    section = chrome.execute_script(seen)
    assert section != "answer"
    chrome.execute_script("document.querySelector('.fresh button').click()")
    WebDriverWait(chrome, 30).until(lambda _: texts(chrome, ".question") not in ([], ended))
    # what is above may have grown
    WebDriverWait(chrome, 30).until(lambda _: chrome.execute_script(seen) == section)
    assert errors(chrome) == []
    path.write_text(page(more), encoding="utf-8")  # the study has ended
    WebDriverWait(chrome, 30).until(
        lambda _: chrome.execute_script("return document.querySelector('.fresh') === null")
    )

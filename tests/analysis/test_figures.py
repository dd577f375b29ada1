"""Figures: true to their numbers, seen by everybody, the same every time."""

import math
from collections.abc import Sequence
from io import BytesIO
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.figures import alphas, axes, bars, curves, dots, fronts, matrices
from analysis.report.page import figures
from raysernas.drawing import palette
from raysernas.drawing.raster import PRINT_SCALE, png
from raysernas.drawing.shapes import Box, Dot, Line, Picture, Tiles, Words
from raysernas.drawing.svg import svg
from raysernas.record import genotype
from tests.support.results import by_hand

NAMES = st.text(min_size=1, max_size=20)
NUMBERS = st.floats(1e-3, 1e6)


def folds(scores: dict[str, Sequence[float]]) -> pd.DataFrame:
    """UA of each fold, by arm."""
    return pd.DataFrame(
        [{"arm": arm, "fold": i, "ua": ua} for arm, told in scores.items() for i, ua in enumerate(told)]
    )


def of(figure: Picture | None, kind: type) -> list[Any]:
    """The shapes of one kind."""
    assert figure is not None
    return [shape for shape in figure.shapes if isinstance(shape, kind)]


# --- axes


@given(st.lists(NUMBERS, min_size=1), st.booleans())
def test_an_axis_keeps_the_order_and_shows_every_value(values: list[float], log: bool) -> None:
    axis = axes.covering(values, 10, 110, log=log)
    places = [axis.at(value) for value in sorted(values)]
    assert places == sorted(places)
    assert all(10 - 1e-6 <= place <= 110 + 1e-6 for place in places)


@given(st.lists(NUMBERS, min_size=1), st.booleans())
def test_ticks_are_inside_and_few(values: list[float], log: bool) -> None:
    axis = axes.covering(values, 0, 100, log=log)
    ticks = axis.ticks()
    assert 1 <= len(ticks) <= 30
    assert all(axis.low * 0.99 - 1e-9 <= tick <= axis.high * 1.01 + 1e-9 for tick in ticks)
    assert ticks == sorted(set(ticks))


def test_what_is_not_known_has_no_place() -> None:
    assert axes.covering([math.nan, 1.0, 2.0, math.inf], 0, 1, room=0) == axes.Axis(1.0, 2.0, 0, 1)


# --- true to their numbers


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_there_is_a_dot_for_each_fold_and_the_mean_is_theirs(one: list[float], two: list[float]) -> None:
    figure = dots.folds(folds({"one": one, "two": two}), ["one", "two"], ["one", "two"])
    hollow, means = [d for d in of(figure, Dot) if d.hollow], [d for d in of(figure, Dot) if not d.hollow]
    assert len(hollow) == len(one) + len(two)
    assert [d.x for d in means] == pytest.approx(
        [np.mean([d.x for d in hollow[: len(one)]]), np.mean([d.x for d in hollow[len(one) :]])]
    )
    assert {f"{100 * np.mean(one):.1f}", f"{100 * np.mean(two):.1f}"} <= {
        words.text for words in of(figure, Words)
    }


def test_a_fold_without_a_score_has_no_dot() -> None:
    figure = dots.folds(folds({"one": [0.5, math.nan], "two": [math.nan]}), ["one", "two"], ["one", "two"])
    assert len([d for d in of(figure, Dot) if d.hollow]) == 1
    assert "two" not in {words.text for words in of(figure, Words)}


def test_an_arm_without_all_folds_has_no_mean() -> None:
    figure = dots.folds(folds({"one": [0.5, 0.6], "two": [0.9]}), ["one", "two"], ["one"])
    assert [dot.role for dot in of(figure, Dot) if not dot.hollow] == [palette.series(0)[0]]
    assert "90.0" not in {words.text for words in of(figure, Words)}


def test_an_endless_interval_leaves_the_others_readable() -> None:
    row = {"arm_a": "a", "arm_b": "b", "difference": 0.01, "ci_low": -0.02, "ci_high": 0.04, "rope": 0.01}
    figure = dots.differences(pd.DataFrame([row] * 3 + [row | {"ci_low": -2.0, "ci_high": 2.0}]))
    lines = [line for line in of(figure, Line) if line.role == "s0" and len(line.points) == 2]
    lengths = [line.points[1][0] - line.points[0][0] for line in lines]
    assert min(lengths) > 0.25 * max(lengths)
    assert len([line for line in of(figure, Line) if len(line.points) == 3]) == 2, (
        "arrows at both ends of one"
    )


def test_an_arm_looks_the_same_in_every_figure() -> None:
    order, table = (
        ["best", "none", "worst"],
        folds({"worst": [0.2, 0.3], "best": [0.8, 0.9]}).assign(valid_ua=0.5, parameters=10.0),
    )
    roles = [
        {d.role for d in of(dots.folds(table, order, order), Dot)},
        {d.role for d in of(curves.profile(table, order), Dot)},
        {d.role for d in of(fronts.validation(table, order), Dot)},
        {d.role for d in of(fronts.front(table, "parameters", "", order), Dot)},
    ]
    assert all(each == {palette.series(0)[0], palette.series(2)[0]} for each in roles)


@given(st.lists(st.tuples(NUMBERS, st.floats(0, 1)), min_size=1, max_size=12))
def test_the_front_is_what_nothing_beats(points: list[tuple[float, float]]) -> None:
    kept = fronts.unbeaten(points)
    beaten = [
        (c, g) for c, g in points if any((oc <= c and og >= g) and (oc < c or og > g) for oc, og in points)
    ]  # by the definition
    assert set(kept) == set(points) - set(beaten)


@given(
    st.dictionaries(
        NAMES,
        st.dictionaries(st.sampled_from("abc"), st.floats(0.1, 100), min_size=1),
        min_size=1,
        max_size=4,
    )
)
def test_stacked_bars_are_as_long_as_their_sums(rows: dict[str, dict[str, float]]) -> None:
    figure = bars.stacked("", "", rows)
    ends = sorted({round(box.y): box.x + box.width + 1 - bars.LEFT for box in of(figure, Box)}.items())
    sums = [sum(parts.values()) for parts in rows.values()]
    assert [end / max(e for _, e in ends) for _, end in ends] == pytest.approx(
        [s / max(sums) for s in sums], abs=0.03
    )


@given(st.lists(st.lists(st.floats(0, 1), min_size=2, max_size=2), min_size=1, max_size=5))
def test_a_shaded_cell_says_its_number(values: list[list[float]]) -> None:
    figure = matrices.shares(pd.DataFrame(values, columns=["x", "y"]), "")
    told = [words.text for words in of(figure, Words) if words.anchor == "middle" and words.text not in "xy"]
    assert told == [f"{100 * value:.0f}" for row in values for value in row]


def test_a_curve_is_the_mean_of_its_trials_and_ends_where_it_ends() -> None:
    rows = pd.DataFrame({"arm": "one", "epoch": [1, 2, 1, 2, 3], "loss": [4.0, 2.0, 2.0, 1.0, 1.0]})
    figure = curves.curves(rows, "loss", ["one"], "", "")
    line = next(mark for mark in of(figure, Line) if mark.role == "s0")
    heights = np.array([y for _, y in line.points])
    assert (heights[0] - heights[1]) / (heights[1] - heights[2]) == pytest.approx((3.0 - 1.5) / (1.5 - 1.0))
    assert curves.curves(rows, "none", ["one"], "", "") is None


def test_alphas_over_epochs_are_those_of_every_edge() -> None:
    choice = genotype.PartSpace(tuple(genotype.sources(2)), genotype.CELL_OPERATIONS)
    values = np.random.default_rng(0).dirichlet(np.ones(8), (3, 5))  # epoch, edge, operation
    tiles = [
        shape
        for shape in alphas.evolution(list(values), "normal", choice, range(1, len(values) + 1)).shapes
        if isinstance(shape, Tiles)
    ]
    assert len(tiles) == 5
    assert all((tile.values == values[:, edge].T).all() for edge, tile in enumerate(tiles))


# --- files


def test_every_figure_is_the_same_every_time_and_a_file_of_its_own() -> None:
    one, two = figures(by_hand()), figures(by_hand())
    assert len(one) > 15
    for name, figure in one.items():
        text = svg(figure, alone=True)
        assert text == svg(two[name], alone=True)
        root = ElementTree.fromstring(text)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert root.attrib["aria-label"]


@given(NAMES, NAMES)
def test_no_name_breaks_a_figure(one: str, two: str) -> None:
    figure = dots.folds(folds({one: [0.5, 0.6], two: [0.4]}), list(dict.fromkeys([one, two])), [one])
    ElementTree.fromstring(svg(figure, alone=True))


def test_a_png_shows_the_same_at_its_size() -> None:
    from PIL import Image

    figure = dots.folds(
        folds({"one": [0.5, 0.6], "$x_2$ </svg>": [0.4, 0.2]}), ["one", "$x_2$ </svg>"], ["one"]
    )
    by = PRINT_SCALE
    data, *_ = png(figure, scale=by)
    assert data == png(figure, scale=by)[0]
    image = np.asarray(Image.open(BytesIO(data)).convert("RGB"))
    assert image.shape[:2] == (round(figure.height * by), round(figure.width * by))
    for dot in of(figure, Dot):
        if not dot.hollow:
            red, green, blue = image[round(dot.y * by), round(dot.x * by)]
            assert f"#{red:02x}{green:02x}{blue:02x}" == palette.LIGHT[dot.role]


@given(st.integers(1, 12), st.integers(0, 99))
def test_no_two_parts_of_a_stacked_bar_share_a_colour_and_nothing_is_left_out(count: int, seed: int) -> None:
    sizes = {f"part {i}": size for i, size in enumerate(1 + np.random.default_rng(seed).random(count))}
    drawn = bars.stacked("title", "label", {"arm": sizes})
    assert drawn is not None
    boxes = [mark for mark in drawn.shapes if isinstance(mark, Box) and mark.title]
    assert len({box.role for box in boxes}) == len(boxes) == min(count, palette.SERIES)
    assert sum(float(box.title.rpartition(" ")[2]) for box in boxes) == pytest.approx(
        sum(sizes.values()), rel=1e-3
    )

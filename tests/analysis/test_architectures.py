"""Genotype statistics: counts by hand, chance by exact arithmetic and by drawing, and the typical cell a cell
of the space.
"""

import json
import math
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.architectures import (
    AGREEMENT_COLUMNS,
    GENE_COLUMNS,
    TYPICAL_COLUMNS,
    agreement,
    expected,
    genes,
    shown_space,
    typical,
)
from raysernas.config.files import assign
from raysernas.config.schema import Config, NetworkConfig
from raysernas.record.genotype import Genotype, draw, from_json, space

SPACES = [
    NetworkConfig(),
    NetworkConfig(nodes=4, recurrent="searched", recurrent_nodes=3),
    NetworkConfig(cnn="ordered", cells=3),
    NetworkConfig(cnn="ordered", cells=2, recurrent="searched"),
]


def trials(found: Sequence[Genotype | str], *, by: str = "seed", **columns: Any) -> pd.DataFrame:
    """A search for each genotype, which differ in their seeds or folds."""
    texts = [each if isinstance(each, str) else each.to_json() for each in found]
    frame = pd.DataFrame({"genotype": texts, "candidate": 0, "fold": 0, "seed": 0, by: range(len(texts))})
    return frame.assign(**{"study": "s", "arm": "darts", "status": "finished", "retrain_seed": 0, **columns})


def drawn(config: NetworkConfig, count: int, seed: int = 0) -> list[Genotype]:
    rng = np.random.default_rng(seed)
    return [draw(rng, space(config)) for _ in range(count)]


def share(one: Genotype, other: Genotype) -> float:
    return len(set(one.genes) & set(other.genes)) / len(one.genes)


def among(frame: pd.DataFrame, what: str) -> Any:
    return frame[frame["among"] == what].iloc[0]


@pytest.mark.parametrize("config", SPACES, ids=range(4))
def test_a_genotype_shows_its_space(config: NetworkConfig) -> None:
    assert all(shown_space(each, ()) == space(config) for each in drawn(config, 3))


@pytest.mark.parametrize("config", SPACES, ids=range(4))
def test_the_expected_share_is_that_of_drawn_genotypes(config: NetworkConfig) -> None:
    """2,000 pairs: mean and variance within what so many draws leave open (4 standard errors, with a fixed
    seed).
    """
    found = drawn(config, 4000)
    shares = np.array([share(one, other) for one, other in zip(found[::2], found[1::2], strict=True)])
    mean, variance = expected(space(config))
    assert shares.mean() == pytest.approx(mean, abs=4 * math.sqrt(variance / 2000))
    spread = math.sqrt((((shares - shares.mean()) ** 2).var()) / 2000)
    assert shares.var() == pytest.approx(variance, abs=4 * spread)


def test_the_mean_over_all_pairs_has_the_stated_deviation() -> None:
    """Pairs with a genotype in common are uncorrelated: 300 times five genotypes, ten pairs each."""
    config = SPACES[2]
    means = [
        np.mean([share(*pair) for pair in combinations(drawn(config, 5, seed), 2)]) for seed in range(300)
    ]
    row = among(agreement(trials(drawn(config, 5))), "seeds")
    assert row["expected_sd"] == pytest.approx(math.sqrt(expected(space(config))[1] / 10))
    assert np.std(means) == pytest.approx(row["expected_sd"], rel=0.15)


@settings(max_examples=30)
@given(
    seed=st.integers(0, 2**31),
    count=st.integers(2, 7),
    which=st.sampled_from(range(4)),
    by=st.sampled_from(["fold", "seed"]),
)
def test_agreement_is_the_mean_over_all_pairs(seed: int, count: int, which: int, by: str) -> None:
    found = drawn(SPACES[which], count, seed)
    frame = agreement(trials(found, by=by))
    row = among(frame, f"{by}s")
    assert list(frame.columns) == list(AGREEMENT_COLUMNS)
    assert row["pairs"] == math.comb(count, 2)
    assert row["shared"] == pytest.approx(np.mean([share(*pair) for pair in combinations(found, 2)]))
    other = among(frame, "folds" if by == "seed" else "seeds")
    assert (other["pairs"], math.isnan(other["shared"])) == (0, True)
    assert other["note"].startswith("no two searches differ in their ")


def test_equal_searches_agree_fully_and_random_ones_as_expected() -> None:
    found = drawn(SPACES[0], 6)
    same = among(agreement(trials([found[0]] * 3)), "seeds")
    assert (same["shared"], same["note"]) == (1, "")
    assert among(agreement(trials(found)), "seeds")["note"] == "no more alike than random genotypes"


@given(found=st.integers(0, 2**31).map(lambda seed: drawn(SPACES[1], 5, seed)))
def test_shares_count_searches(found: list[Genotype]) -> None:
    frame = genes(trials(found))
    assert list(frame.columns) == list(GENE_COLUMNS)
    assert frame["share"].sum() == pytest.approx(len(found[0].genes))
    assert (frame["share"] == frame["count"] / 5).all()
    for row in frame.to_dict("records"):
        wanted = (row["part"], row["node"], row["source"], row["operation"])
        assert row["count"] == sum(
            (part, node, gene.source, gene.operation) == wanted
            for each in found
            for part, node, gene in each.genes
        )


def test_a_second_retraining_is_not_a_new_search() -> None:
    rows = trials(drawn(SPACES[0], 3))
    more = pd.concat(
        [
            rows,
            rows.assign(retrain_seed=1),
            rows.assign(seed=9, status="failed"),
            rows.assign(seed=8, genotype=""),
        ]
    )
    for frame in (genes, agreement, typical):
        pd.testing.assert_frame_equal(frame(more), frame(rows))


def test_the_typical_cell_is_the_most_frequent() -> None:
    conv, pool = ["sep_conv_3x3", "dil_conv_5x5"], ["max_pool_3x3", "avg_pool_3x3"]
    texts = [
        json.dumps({"conv": [[[0, conv[a]]], [[1, conv[b]]]], "pool": [[[0, pool[c]]], [[1, pool[d]]]]})
        for a, b, c, d in ((0, 1, 0, 1), (0, 0, 0, 1), (1, 1, 0, 0))
    ]
    row = typical(trials(texts)).iloc[0]
    assert from_json(row["genotype"]) == from_json(texts[0])
    assert (row["searches"], row["shared"]) == (3, pytest.approx((2 + 2 + 3 + 2) / 12))


@settings(max_examples=30)
@given(seed=st.integers(0, 2**31), count=st.integers(1, 6), which=st.sampled_from(range(4)))
def test_the_typical_cell_belongs_to_the_space(seed: int, count: int, which: int) -> None:
    found = drawn(SPACES[which], count, seed)
    frame = typical(trials(found))
    cell = from_json(frame["genotype"].iloc[0])
    assert list(frame.columns) == list(TYPICAL_COLUMNS)
    assert shown_space(cell, ()) == space(SPACES[which])
    assert frame["shared"].iloc[0] == pytest.approx(np.mean([share(cell, each) for each in found]))
    if count == 1:
        assert cell == found[0]


def test_unlike_shapes_are_not_compared_and_unreadable_genotypes_are_counted() -> None:
    small, large = drawn(SPACES[2], 2), drawn(SPACES[1], 3)
    rows = trials([*small, *large, '{"torn": '])
    row = among(agreement(rows), "seeds")
    mean, _ = expected(space(SPACES[2]))
    assert row["pairs"] == 1 + 3
    assert row["expected"] == pytest.approx((mean + 3 * expected(space(SPACES[1]))[0]) / 4)
    assert row["note"].endswith("1 genotype cannot be read")
    told = typical(rows).iloc[0]
    assert (told["searches"], told["note"]) == (
        3,
        "without 2 genotypes of other shapes; 1 genotype cannot be read",
    )


def test_folds_of_a_nested_study_have_candidates_of_their_own() -> None:
    configs = {"s": assign(Config(), {"study.protocol": "nested"})}
    found = agreement(trials(drawn(SPACES[0], 3), by="fold"), configs)
    assert among(found, "folds")["note"].endswith("folds have candidates of their own")


def test_arms_without_genotypes_have_no_rows() -> None:
    for rows in (
        trials(["", ""]),
        trials(["", ""]).assign(genotype=None),
        trials(drawn(SPACES[0], 2)).iloc[:0],
    ):
        assert genes(rows).empty
        assert agreement(rows).empty
        assert typical(rows).empty


@settings(max_examples=10)
@given(order=st.integers(0, 2**31 - 1))
def test_the_order_of_rows_does_not_matter(order: int) -> None:
    rows = trials(drawn(SPACES[0], 6))
    for frame in (genes, agreement, typical):
        pd.testing.assert_frame_equal(frame(rows), frame(rows.sample(frac=1, random_state=order)))

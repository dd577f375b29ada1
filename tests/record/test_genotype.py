"""Architectures as data: written and read, chosen from mixing weights, drawn at random."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import chisquare

from raysernas.config.schema import NetworkConfig
from raysernas.record.genotype import (
    CELL_OPERATIONS,
    SEQUENCE_OPERATIONS,
    Genotype,
    Space,
    all_skip,
    choose,
    draw,
    entropy,
    from_json,
    one_hot,
    sources,
    space,
)
from tests.support.faults import refusal

REAL = [operation for operation in CELL_OPERATIONS if operation != "none"]


def softmax(alphas: Any) -> Any:
    """The mixing weights of alphas, [edge, operation]."""
    powers = np.exp(alphas - alphas.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def free(nodes: int) -> Space:
    """The space of two kinds of cell."""
    return space(NetworkConfig(nodes=nodes))


SPACES = st.builds(
    lambda cnn, recurrent, nodes, cells, over_time: space(
        NetworkConfig(cnn=cnn, recurrent=recurrent, nodes=nodes, cells=cells, recurrent_nodes=over_time)
    ),
    st.sampled_from(["free", "ordered"]),
    st.sampled_from(["lstm_attention", "searched"]),
    st.integers(1, 4),
    st.integers(3, 5),
    st.integers(1, 4),
)


@st.composite
def mixings(draw: Any, alphas: Any = st.floats(-3, 3)) -> tuple[Any, Space]:  # noqa: B008
    """Mixing weights of every part of a space, and the space."""
    parts = draw(SPACES)
    shapes = {part: (len(choice.edges), len(choice.operations)) for part, choice in parts.items()}
    return {
        part: softmax(draw(arrays(np.float64, shape, elements=alphas))) for part, shape in shapes.items()
    }, parts


def genes(genotype: Genotype) -> list[tuple[int, Any]]:
    """(node, gene) of all parts."""
    return [(node, gene) for _, node, gene in genotype.genes]


def assert_sound(genotype: Genotype, parts: Space) -> None:
    """Each node has the right number of different possible states, and on each an operation of its part."""
    assert genotype.parts.keys() == parts.keys()
    for part, cell in genotype.parts.items():
        assert len(cell) == parts[part].nodes
        for i, node in enumerate(cell):
            states = [gene.source for gene in node]
            possible = [source for _, source in parts[part].into(i)]
            assert len(states) == len(set(states)) == min(parts[part].kept, len(possible))
            assert states == sorted(states)
            assert set(states) <= set(possible)
            assert all(gene.operation in parts[part].operations and gene.operation != "none" for gene in node)


def test_edges_are_numbered_node_by_node_source_by_source() -> None:
    assert sources(3) == [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2), (2, 3)]


def test_edges_of_a_recurrent_cell_come_from_one_input() -> None:
    assert sources(3, inputs=1) == [(0, 0), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2)]


def test_the_operations_of_each_space() -> None:
    assert {part: choice.operations for part, choice in free(2).items()} == {
        "normal": CELL_OPERATIONS,
        "reduction": CELL_OPERATIONS,
    }
    ordered = space(NetworkConfig(cnn="ordered", cells=3))
    assert {part: len(choice.edges) for part, choice in ordered.items()} == {"conv": 3, "pool": 3}
    assert {*ordered["conv"].operations, *ordered["pool"].operations} == {*REAL} - {"skip_connect"}
    assert len(SEQUENCE_OPERATIONS) == len(set(SEQUENCE_OPERATIONS)) == 3 + 3 * 2 * 2 * 2


@given(seed=st.integers(0, 2**32 - 1), parts=SPACES)
def test_what_is_written_is_read(seed: int, parts: Space) -> None:
    genotype = draw(np.random.default_rng(seed), parts)
    assert_sound(genotype, parts)
    assert from_json(genotype.to_json()) == genotype
    assert "\n" not in genotype.to_json()


def test_the_written_form() -> None:
    genotype = choose({"normal": np.eye(8)[[3, 4]], "reduction": np.eye(8)[[1, 7]]}, free(1))
    text = (
        '{"normal": [[[0, "skip_connect"], [1, "sep_conv_3x3"]]], "reduction": [[[0, "max_pool_3x3"], [1, '
        '"dil_conv_5x5"]]]}'
    )
    assert genotype.to_json() == text


@given(case=mixings())
def test_choosing_keeps_the_right_number_of_states_and_never_none(case: tuple[Any, Space]) -> None:
    mixing, parts = case
    assert_sound(choose(mixing, parts), parts)


@given(seed=st.integers(0, 2**32 - 1), parts=SPACES)
def test_a_genotype_is_what_is_chosen_from_its_one_hot_mixing(seed: int, parts: Space) -> None:
    genotype = draw(np.random.default_rng(seed), parts)
    mixing = one_hot(genotype, parts)
    assert choose(mixing, parts) == genotype
    for part, cell in genotype.parts.items():
        assert mixing[part].sum() == sum(len(node) for node in cell)


@given(case=mixings())
def test_choosing_keeps_the_strongest(case: tuple[Any, Space]) -> None:
    """Every kept gene is its edge's best real operation, and no edge left out is stronger than one kept."""
    mixing, parts = case
    for part, cell in choose(mixing, parts).parts.items():
        real = parts[part].real
        best = mixing[part][:, real].max(axis=1)
        for node, kept in enumerate(cell):
            edges = {source: edge for edge, source in parts[part].into(node)}
            for gene in kept:
                chosen = parts[part].operations.index(gene.operation)
                assert mixing[part][edges[gene.source], chosen] == best[edges[gene.source]]
            left = [
                best[edge] for source, edge in edges.items() if source not in {gene.source for gene in kept}
            ]
            assert all(best[edges[gene.source]] >= strength for gene in kept for strength in left)


@given(case=mixings(st.sampled_from([0.0, 1.0])))
def test_ties_go_to_the_lower_number(case: tuple[Any, Space]) -> None:
    mixing, parts = case
    genotype = choose(mixing, parts)
    assert choose({part: values.copy() for part, values in mixing.items()}, parts) == genotype
    for part, cell in genotype.parts.items():
        choice = parts[part]
        for node, kept in enumerate(cell):
            edges = [edge for edge, _ in choice.into(node)]
            first = {edge: choice.real[int(np.argmax(mixing[part][edge, choice.real]))] for edge in edges}
            strongest = sorted(edges, key=lambda edge: -mixing[part][edge, first[edge]])[: choice.kept]
            wanted = {(choice.edges[edge][1], choice.operations[first[edge]]) for edge in strongest}
            assert {(gene.source, gene.operation) for gene in kept} == wanted


def test_uniform_mixing_gives_the_first_operation_on_the_first_states() -> None:
    mixing = np.full((len(sources(3)), len(CELL_OPERATIONS)), 1 / 8)
    genotype = choose({"normal": mixing, "reduction": mixing}, free(3))
    assert {(gene.source, gene.operation) for _, gene in genes(genotype)} == {
        (0, "max_pool_3x3"),
        (1, "max_pool_3x3"),
    }


def test_edges_compete_by_softmaxed_alphas_not_by_alphas() -> None:
    """The published code compares raw alphas, and so picks an edge whose alphas are larger but less
    decided.
    """
    alphas = np.zeros((5, len(CELL_OPERATIONS)))
    alphas[0:2, 3] = 9.0  # node 0, any
    alphas[2] = 5.0  # node 1, state 0: large but equal alphas, 1/8 each
    alphas[3, 4] = 2.0  # node 1, state 1: decided
    alphas[4, 4] = 2.0  # node 1, state 2: decided
    mixing = softmax(alphas)
    assert [gene.source for gene in choose({"normal": mixing, "reduction": mixing}, free(2)).normal[1]] == [
        1,
        2,
    ]


@pytest.mark.parametrize(
    "wrong", [np.full((5, 8), np.nan), np.full((4, 8), 1 / 8), np.full((5, 7), 1 / 7), np.full(40, 1 / 8)]
)
def test_mixing_weights_of_a_wrong_shape_or_value_are_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"no mixing weights \(5, 8\)"):
        choose({"normal": wrong, "reduction": wrong}, free(2))


def test_drawing_is_uniform_over_the_whole_space() -> None:
    """Node 1 of a cell has 3 pairs of states x 7 x 7 operations; a fixed seed
    makes the test deterministic.
    """
    rng = np.random.default_rng(0)
    runs = 147 * 40
    drawn = [draw(rng, free(2)).reduction[1] for _ in range(runs)]
    counts: dict[Any, int] = {}
    for node in drawn:
        counts[node] = counts.get(node, 0) + 1
    assert len(counts) == 3 * len(REAL) ** 2
    assert chisquare(list(counts.values())).pvalue > 0.01


def test_draws_depend_on_the_generator_only() -> None:
    first, again, other = (draw(np.random.default_rng(seed), free(4)) for seed in (1, 1, 2))
    assert first == again != other


@settings(max_examples=50)
@given(case=mixings(st.floats(-50, 50)))
def test_entropy_is_a_share(case: tuple[Any, Space]) -> None:
    mixing, _ = case
    assert -1e-12 <= entropy(mixing) <= 1 + 1e-12


def test_entropy_of_nothing_learnt_is_one_and_of_one_operation_zero() -> None:
    uniform, chosen = np.full((5, 8), 1 / 8), np.eye(8)[[1, 2, 3, 4, 5]]
    assert entropy({"normal": uniform, "reduction": uniform}) == pytest.approx(1)
    assert entropy({"normal": chosen, "reduction": chosen}) == pytest.approx(0)
    assert entropy({"normal": uniform, "reduction": chosen}) == pytest.approx(0.5)
    assert entropy({"normal": uniform, "recurrent": np.full((5, 27), 1 / 27)}) == pytest.approx(1), (
        "each by its own operations"
    )


def test_the_genotype_of_skips_only() -> None:
    parts = space(NetworkConfig(nodes=3, recurrent="searched"))
    genotype = all_skip(parts)
    assert_sound(genotype, parts)
    assert {gene.operation for _, gene in genes(genotype)} == {"skip_connect"}


SOUND = '[[[0, "skip_connect"], [1, "sep_conv_3x3"]]]'


def cells(normal: str, reduction: str = SOUND) -> str:
    """Genotype JSON with these cells."""
    return f'{{"normal": {normal}, "reduction": {reduction}}}'


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "5", "null", "{}", "NaN", "{", "[" * 100_000, "import os"),
        f'{{"normal": {SOUND}}}',
        '{"normal": [], "reduction": []}',
        f'{{"normal": {SOUND}, "reduction": {SOUND}, "extra": {SOUND}}}',
        cells(SOUND[:-1] + ', [[0, "skip_connect"], [2, "skip_connect"]]]'),  # cells of different sizes
        cells('[[[0, "none"], [1, "skip_connect"]]]'),
        cells('[[[0, "conv"], [1, "skip_connect"]]]'),
        cells('[[[0, ["skip_connect"]], [1, "skip_connect"]]]'),
        cells('[[[0, "skip_connect"], [2, "skip_connect"]]]'),
        cells('[[[-1, "skip_connect"], [1, "skip_connect"]]]'),
        cells('[[["0", "skip_connect"], [1, "skip_connect"]]]'),
        cells('[[[0.0, "skip_connect"], [1, "skip_connect"]]]'),
        cells('[[[false, "skip_connect"], [true, "skip_connect"]]]'),
        cells('[[[0, "skip_connect"], [0, "skip_connect"]]]'),
        cells('[[[0, "skip_connect"]]]'),
        cells('[[[0, "skip_connect"], [1, "skip_connect"], [1, "skip_connect"]]]'),
        cells('[[[0, "skip_connect", 3], [1, "skip_connect"]]]'),
        cells('"ab"'),
        cells("5"),
        f'{{"normal": {SOUND}, "reduction": {SOUND}, "recurrent": [[[0, "sep_conv_3x3"]]]}}',
        f'{{"normal": {SOUND}, "reduction": {SOUND}, "recurrent": [[[1, "lstm_1"]]]}}',
        f'{{"normal": {SOUND}, "reduction": {SOUND}, "recurrent": []}}',
        f'{{"normal": {SOUND}, "reduction": {SOUND}, '
        '"conv": [[[0, "sep_conv_3x3"]]], "pool": [[[0, "max_pool_3x3"]]]}',
        '{"conv": [[[0, "sep_conv_3x3"]]], "pool": [[[0, "sep_conv_3x3"]]]}',
        '{"conv": [[[0, "sep_conv_3x3"]]], "pool": [[[0, "max_pool_3x3"]], [[1, "max_pool_3x3"]]]}',
        '{"conv": [[[1, "sep_conv_3x3"]]], "pool": [[[0, "max_pool_3x3"]]]}',
        '{"recurrent": [[[0, "lstm_1"]]]}',
    ],
)
def test_other_text_is_refused(text: str) -> None:
    assert refusal(lambda: from_json(text)).startswith(
        f"genotype: this is not a genotype\n  got: {text[:80]}"
    )


def test_the_genes_of_a_node_have_one_order() -> None:
    swapped = '[[[1, "sep_conv_3x3"], [0, "skip_connect"]]]'
    assert from_json(cells(swapped)) == from_json(cells(SOUND))
    assert json.loads(from_json(cells(swapped)).to_json()) == json.loads(cells(SOUND))

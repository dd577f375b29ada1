"""Laws of the drawings: nothing overlaps, everything is said in words too, and they can be read in print,
light and dark.
"""

from io import BytesIO
from itertools import combinations
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from raysernas.config.schema import NetworkConfig
from raysernas.drawing import palette, pictures, raster, shapes
from raysernas.drawing.palette import LIGHT, NIGHT, SERIES, on_tile, series
from raysernas.drawing.pictures import Picture
from raysernas.drawing.shapes import Box, Line, Tiles, Words
from raysernas.record.genotype import Genotype, choose, draw, space

SVG = "{http://www.w3.org/2000/svg}"
Rectangle = tuple[float, float, float, float]  # left, top, right, bottom

genotypes = st.builds(
    lambda seed, nodes, after, cnn: draw(
        np.random.default_rng(seed),
        space(
            NetworkConfig(cnn=cnn, nodes=nodes, cells=2 + nodes, recurrent="searched", recurrent_nodes=after)
        ),
    ),
    st.integers(0, 2**32),
    st.integers(1, 6),
    st.integers(1, 5),
    st.sampled_from(["free", "ordered"]),
)
names = st.lists(st.text(max_size=30), min_size=1, max_size=24)


def box_of(box: Box) -> Rectangle:
    return box.x, box.y, box.x + box.width, box.y + box.height


def place_of(words: Words) -> Rectangle:
    """What a line of text covers; its letters are about 0.75 of its size high."""
    long, high = shapes.width(words.text, words.size, words.mono), 0.75 * words.size
    begin = {"start": 0.0, "middle": -long / 2, "end": -long}[words.anchor]
    if words.turned:
        return words.x - high / 2, words.y - begin - long, words.x + high / 2, words.y - begin
    return words.x + begin, words.y - high / 2, words.x + begin + long, words.y + high / 2


def meet(one: Rectangle, other: Rectangle) -> bool:
    return (
        one[0] < other[2] - 0.01
        and other[0] < one[2] - 0.01
        and one[1] < other[3] - 0.01
        and other[1] < one[3] - 0.01
    )


def pieces(line: Line) -> list[Rectangle]:
    return [
        (min(a, c), min(b, d), max(a, c), max(b, d))
        for (a, b), (c, d) in zip(line.points, line.points[1:], strict=False)
    ]


def inside(one: Rectangle, other: Rectangle) -> bool:
    return other[0] <= one[0] and other[1] <= one[1] and one[2] <= other[2] and one[3] <= other[3]


@given(genotypes)
def test_in_a_cell_no_label_meets_another_and_no_line_crosses_a_box(genotype: Genotype) -> None:
    for picture in pictures.cells(genotype).values():
        whole = (0.0, 0.0, picture.width, picture.height)
        boxes = [box_of(each) for each in picture.shapes if isinstance(each, Box)]
        words = [place_of(each) for each in picture.shapes if isinstance(each, Words)]
        lines = [piece for each in picture.shapes if isinstance(each, Line) for piece in pieces(each)]
        assert not any(meet(one, other) for one, other in combinations(boxes, 2))
        assert not any(meet(piece, box) for piece in lines for box in boxes), (
            "a line ends at the edge of a box"
        )
        assert all(sum(inside(place, box) for box in boxes) == 1 for place in words), (
            "a label is in its own box"
        )
        assert all(inside(each, whole) for each in (*boxes, *lines))


@given(genotypes)
def test_in_a_cell_lines_of_two_states_only_cross_at_right_angles(genotype: Genotype) -> None:
    for picture in pictures.cells(genotype).values():
        found = [
            (each.role, piece) for each in picture.shapes if isinstance(each, Line) for piece in pieces(each)
        ]
        flat = {True: [], False: []}
        for role, piece in found:
            if role != "soft":
                flat[piece[1] == piece[3]].append((role, piece))
        for way in flat.values():
            for (one, first), (other, second) in combinations(way, 2):
                thin = (first[0] - 0.02, first[1] - 0.02, first[2] + 0.02, first[3] + 0.02)
                assert one == other or not meet(thin, second), "two lines run into each other"


@given(genotypes)
def test_every_gene_is_drawn_once_with_its_way_and_said_in_words(genotype: Genotype) -> None:
    cells = pictures.cells(genotype)
    drawn = [
        each.text
        for picture in cells.values()
        for each in picture.shapes
        if isinstance(each, Words) and each.mono
    ]
    assert sorted(drawn) == sorted(gene.operation for _, _, gene in genotype.genes)
    for part, node, gene in genotype.genes:
        if part in cells:
            inputs = 1 if part == "recurrent" else 2
            source = f"input {gene.source}" if gene.source < inputs else f"node {gene.source - inputs}"
            about = cells[part].description.split(f"node {node} adds ")[1].split(";")[0]
            assert f"{gene.operation} of {source}" in about
            arrows = [
                each
                for each in cells[part].shapes
                if isinstance(each, Line) and each.arrow and each.role != "soft"
            ]
            assert sum(each.role == series(gene.source)[0] for each in arrows) == sum(
                (other.source - gene.source) % SERIES == 0
                for where, _, other in genotype.genes
                if where == part
            )
        else:
            assert gene.operation in cells["chain"].description


def counts_of(number: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.poisson(0.5, (number, number)) + np.diag(rng.integers(0, 30, number))


@given(names=names, seed=st.integers(0, 99))
def test_a_confusion_matrix_has_all_its_numbers_and_no_label_meets_another(
    names: list[str], seed: int
) -> None:
    counts = counts_of(len(names), seed)
    picture = pictures.confusion(counts, names, "validation of fold 2")
    words = [each for each in picture.shapes if isinstance(each, Words)]
    assert not any(meet(place_of(one), place_of(other)) for one, other in combinations(words, 2))
    assert all(inside(place_of(each), (0.0, 0.0, picture.width, picture.height)) for each in words)
    if len(names) <= 20:
        shown = sorted(
            int(each.text)
            for each in words
            if each.text.isascii() and each.text.isdigit() and each.size == 12.0
        )
        own = sorted(
            2 * [int(name) for name in names if name.isascii() and name.isdigit() and len(name) <= 18]
        )
        assert shown == sorted([*counts[counts > 0].tolist(), *own])
    ElementTree.fromstring(pictures.svg(picture))


@pytest.mark.parametrize("number", [1, 2, 4, 20, 21, 60, 61, 200])
def test_many_classes_stay_readable(number: int) -> None:
    emotions = [f"emotion {i}" for i in range(number)]
    picture = pictures.confusion(counts_of(number), emotions)
    words = [each for each in picture.shapes if isinstance(each, Words)]
    assert not any(meet(place_of(one), place_of(other)) for one, other in combinations(words, 2))
    assert min(each.size for each in words) >= 8
    assert max(picture.width, picture.height) < 1100
    assert all(f"{emotion} " in picture.description for emotion in emotions)
    named = sum(each.text.startswith("emotion") for each in words)
    assert named == 2 * number if number <= 60 else 20 <= named <= 60
    _, wide, high = pictures.png(picture)
    assert max(wide, high) <= 1400


def test_what_is_missing_is_said_and_no_number() -> None:
    empty = pictures.confusion(np.zeros((2, 2), int), ["joy", "fear"])
    told = [each.text for each in empty.shapes if isinstance(each, Words)]
    assert "no utterances" in told
    assert told.count("no utterance") == 2
    assert not any("nan" in each.lower() for each in (*told, empty.description))
    one_row = pictures.confusion([[3, 1], [0, 0]], ["joy", "fear"], "test")
    assert "Recall: joy 75.0 %, fear no utterance. Most often taken: joy for fear (1)." in one_row.description


@pytest.mark.parametrize("counts", [np.zeros((2, 3)), np.zeros(2), np.zeros((3, 3))])
def test_counts_of_other_classes_are_refused(counts: np.ndarray) -> None:
    with pytest.raises(ValueError, match="are not of 2 emotions"):
        pictures.confusion(counts, ["joy", "fear"])


def test_a_confusion_shows_shares_of_its_rows() -> None:
    tiles = next(
        each
        for each in pictures.confusion([[6, 2], [0, 0]], ["joy", "fear"]).shapes
        if isinstance(each, Tiles)
    )
    np.testing.assert_array_equal(tiles.values, [[0.75, 0.25], [np.nan, np.nan]])


def searched(seed: int = 0, cnn: str = "free") -> tuple[dict, dict, Genotype]:
    parts = space(NetworkConfig(cnn=cnn, nodes=3, recurrent="searched"))  # pyright: ignore
    rng = np.random.default_rng(seed)
    size = {part: (np.ones(len(choice.operations)), len(choice.edges)) for part, choice in parts.items()}
    mixing: Any = {part: rng.dirichlet(*each) for part, each in size.items()}
    return mixing, dict(parts), choose(mixing, parts)


@pytest.mark.parametrize("cnn", ["free", "ordered"])
def test_mixtures_are_annotated_and_the_genes_are_framed(cnn: str) -> None:
    mixing, parts, genotype = searched(cnn=cnn)
    for part, choice in parts.items():
        picture = pictures.alphas(mixing, parts, part, genotype)
        words = [each for each in picture.shapes if isinstance(each, Words)]
        assert not any(meet(place_of(one), place_of(other)) for one, other in combinations(words, 2))
        tiles = next(each for each in picture.shapes if isinstance(each, Tiles))
        across = part != "recurrent"  # which has too many operations for a row
        shown = mixing[part] if across else mixing[part].T
        np.testing.assert_array_equal(tiles.values, shown)
        numbers = [each.text for each in words if each.text[:2] in ("0.", "1.")]
        assert numbers == [f"{value:.2f}" for value in shown.ravel()]
        assert picture.width < 600
        framed = {
            (round((each.y - tiles.y - 1) / tiles.height), round((each.x - tiles.x - 1) / tiles.width))
            for each in picture.shapes
            if isinstance(each, Box) and each.outline == "ink"
        }
        genes = [(node, gene) for where, node, gene in genotype.genes if where == part]
        where = {place if across else place[::-1] for place in framed}
        assert where == {
            (choice.edges.index((n, g.source)), choice.operations.index(g.operation)) for n, g in genes
        }


def examples() -> dict[str, Picture]:
    mixing, parts, genotype = searched()
    many = pictures.confusion(counts_of(30), [f"class {i}" for i in range(30)])
    few = pictures.confusion(counts_of(3), ["Ärger <&>", "радость", "中性\x00\ud800"], "test")
    return {
        **pictures.cells(genotype),
        "mixtures": pictures.alphas(mixing, parts, "normal", genotype),
        "few": few,
        "many": many,
    }


@pytest.mark.parametrize("name", examples())
def test_equal_pictures_give_equal_bytes_and_words_for_who_does_not_see_them(name: str) -> None:
    picture, again = examples()[name], examples()[name]
    for alone in (False, True):
        text = pictures.svg(picture, alone=alone)
        assert text == pictures.svg(again, alone=alone)
        root = ElementTree.fromstring(text)
        assert (root.tag, root.get("role")) == (f"{SVG}svg", "img")
        assert root.findtext(f"{SVG}title") == picture.title == root.get("aria-label")
        assert len(root.findtext(f"{SVG}desc") or "") > 20
        assert not any("id" in each.attrib for each in root.iter()), (
            "two pictures of a page must not share a name"
        )
        assert len(root.findall(f"{SVG}text")) == sum(isinstance(each, Words) for each in picture.shapes)
        assert ("<style>" in text) is alone
    found, *size = pictures.png(picture)
    assert found == pictures.png(again)[0]
    with Image.open(BytesIO(found)) as image:
        assert (image.format, list(image.size)) == ("PNG", size)
        assert len(image.getcolors() or []) > 8


FAR = Picture(2000, 300, "far", [Words(x, y, "word", anchor="middle") for x in (40, 1950) for y in (20, 280)])


@pytest.mark.parametrize("picture", [examples()["few"], FAR], ids=["few", "far"])
def test_the_picture_of_pixels_has_the_letters_where_the_svg_has_them(picture: Picture) -> None:
    """Every line of text, turned ones too, leaves ink in its place; a large picture is made smaller, not cut
    off.
    """
    found, wide, _ = pictures.png(picture)
    pixels, scale = np.asarray(Image.open(BytesIO(found)).convert("L")), wide / picture.width
    for words in (
        each for each in picture.shapes if isinstance(each, Words) and each.role != "paper" and each.text
    ):
        left, top, right, bottom = (round(value * scale) for value in place_of(words))
        assert pixels[top:bottom, left:right].min() < 140, words.text


def test_text_is_no_wider_than_it_is_taken_for() -> None:
    for text in (
        "frustration",
        "WWWW",
        "mmmm",
        "Ärger",
        "радость",
        "bilstm_2_attention",
        "node 12 from input 0",
        "100.0 %",
    ):
        for mono, name in ((False, "DejaVuSans"), (True, "DejaVuSansMono")):
            if not mono or text.isascii():
                assert raster._font(name, 100).getlength(text) <= shapes.width(text, 100, mono), text


def luminance(colour: np.ndarray) -> float:
    """As WCAG 2.2 defines it; 0..255 in."""
    share = colour / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one: np.ndarray, other: np.ndarray) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def rgb(colour: str) -> np.ndarray:
    return np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)])


@pytest.mark.parametrize("theme", [LIGHT, NIGHT], ids=["light", "dark"])
def test_numbers_are_read_on_every_shade(theme: dict[str, str]) -> None:
    for share in np.linspace(0, 1, 101):
        tile = rgb(theme["paper"]) + palette.shade(np.array(share)) * (
            rgb(theme["deep"]) - rgb(theme["paper"])
        )
        assert contrast(rgb(theme[on_tile(share)]), tile) >= 4.5, share


@pytest.mark.parametrize("theme", [LIGHT, NIGHT], ids=["light", "dark"])
def test_words_and_marks_stand_out(theme: dict[str, str]) -> None:
    for ground in ("paper", "band"):
        assert contrast(rgb(theme["ink"]), rgb(theme[ground])) >= 7
        assert contrast(rgb(theme["soft"]), rgb(theme[ground])) >= 4.5
    for number in range(SERIES):
        assert contrast(rgb(theme[f"s{number}"]), rgb(theme["paper"])) >= 3


def test_no_two_series_look_the_same() -> None:
    """Eleven arms there are; a series differs in shape and dash from every other of its colour, and in colour
    from its shape.
    """
    looks = [series(number) for number in range(2 * SERIES)]
    assert len({(role, shape) for role, shape, _ in looks}) == len(looks)
    first = looks[:SERIES]
    assert len({shape for _, shape, _ in first}) == len({dash for _, _, dash in first}) == SERIES

"""Frames as files: programs read back what was there, people read what it says, and the protocol card goes
with every one.
"""

import csv
import json
import re
import shutil
import subprocess
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import analysis
from analysis.__main__ import main
from analysis.writing import (
    BREAKS,
    FORMULA,
    MISSING,
    as_csv,
    as_latex,
    as_markdown,
    as_parquet,
    card_lines,
    escaped,
    shown,
    write,
)
from raysernas.record import storage
from tests.support.ledgers import NAME, simulated

CARDS = {"one & only": {"study": "one & only", "corpus": "emo_db, 100 % # clean", "merges": ""}}
TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12).filter(lambda text: text.strip() != "")
CELLS = st.lists(
    st.tuples(TEXTS, st.one_of(st.floats(0, 1), st.just(np.nan)), st.integers(-5, 10**6)),
    min_size=1,
    max_size=5,
)


def table(cells: list[tuple[str, float, int]]) -> pd.DataFrame:
    return pd.DataFrame(cells, columns=["arm", "ua", "n"])


@given(cells=CELLS)
def test_a_csv_gives_the_frame_back(cells: list[tuple[str, float, int]]) -> None:
    """Every text, comment signs and quotes too, but for line breaks and what keeps a formula from running;
    every digit of every number.
    """
    text = as_csv(table(cells), CARDS)
    read: dict[str, Any] = {"keep_default_na": False, "na_values": {"ua": [""]}, "dtype": {"arm": str}}
    back = pd.read_csv(StringIO(text), comment="#", **read)
    clean = [BREAKS.sub(" ", name) for name, _, _ in cells]
    pairs = zip(back["arm"], clean, strict=True)
    back["arm"] = [text.removeprefix("'") if FORMULA.match(name) else text for text, name in pairs]
    expected = table(cells).assign(arm=clean)
    pd.testing.assert_frame_equal(back, expected, rtol=1e-14, check_dtype=False)
    assert text.splitlines()[:2] == ["# study: one & only", "# corpus: emo_db, 100 % # clean"]


@pytest.mark.parametrize(
    "cell",
    [
        "=cmd|'/C calc'!A1",
        "+SUM(A1)",
        "-2+3",
        "@SUM(A1)",
        "\t=1+1",
        "\r=1+1",
        " =1+1",
        "\x9f=1+1",
        "\uff1d1+1",
        "-",
    ],
)
def test_no_cell_of_a_csv_is_a_formula(cell: str) -> None:
    text = as_csv(pd.DataFrame({cell: [cell, "a"]}), {"x": {"emotions": f"joy,{cell},{cell};{cell}"}})
    comment, *rows = csv.reader(StringIO(text))
    assert [row[0][0] for row in rows[:2]] == ["'", "'"]
    starts = [part.strip()[:1] for each in comment for part in each.split(";")]
    assert starts == ["#", "'", "'", "'"]


@pytest.mark.parametrize("cell", ["-1.5", "+12", "-1e-3", "-inf", "a=b", "1-2", "mail@host", "'=x"])
def test_a_number_and_a_harmless_text_stay_as_they_are_in_a_csv(cell: str) -> None:
    text = as_csv(pd.DataFrame({"speaker": [cell], "difference": [-0.5]}), {})
    assert list(csv.reader(StringIO(text)))[1] == [cell, "-0.5"]


@given(cells=CELLS)
def test_parquet_gives_the_frame_and_the_card_back(cells: list[tuple[str, float, int]]) -> None:
    content = as_parquet(table(cells), CARDS)
    pd.testing.assert_frame_equal(pd.read_parquet(BytesIO(content)), table(cells), check_exact=True)
    assert json.loads(pq.read_schema(BytesIO(content)).metadata[b"raysernas.cards"]) == CARDS


def printed(text: str) -> str:
    """What LaTeX prints of an escaped text: every command is undone, and what has a meaning of its own is not
    there.
    """
    commands = {
        "textbackslash": "\\",
        "textasciitilde": "~",
        "textasciicircum": "^",
        "textless": "<",
        "textgreater": ">",
        "textbar": "|",
    }
    found = re.compile(r"\\(text[a-z]+)\{\}|\\([&%$#_{}])|\{([\[\]])\}|\$\\pm\$|([^\\&%$#_{}~^<>|\[\]]+)")
    shown, place = [], 0
    while place < len(text):
        piece = found.match(text, place)
        assert piece, f"{text[place:]!r} means something to LaTeX"
        command, sign, bracket, plain = piece.groups()
        shown.append(commands[command] if command else sign or bracket or plain or "±")
        place = piece.end()
    return "".join(shown)


@given(text=st.text(st.characters(codec="utf-8")))
def test_latex_prints_every_text_as_it_is(text: str) -> None:
    assert printed(escaped(text)) == " ".join(BREAKS.sub(" ", text).split())


@given(cells=CELLS)
def test_a_latex_table_has_a_cell_for_each_cell_and_a_line_for_each_row(
    cells: list[tuple[str, float, int]],
) -> None:
    text = as_latex(table(cells), CARDS, "Arms_1")
    comments, body = text.split(r"\begin{table}")
    assert all(line.startswith("% ") for line in comments.splitlines())
    assert "% corpus: emo_db, 100 % # clean" in comments
    inner = body.split(r"\midrule")[1].split(r"\bottomrule")[0].strip()
    rows = [re.split(r"(?<!\\)&", line.removesuffix(r"\\")) for line in inner.split("\n")]
    assert [len(row) for row in rows] == [3] * len(cells)
    assert [printed(row[0].strip()) for row in rows] == [
        shown(table(cells))["arm"][i] for i in range(len(cells))
    ]
    assert r"\caption{Arms\_1. study: one \& only. corpus: emo\_db, 100 \% \# clean." in body
    assert re.sub(r"\\[{}]", "", text).count("{") == re.sub(r"\\[{}]", "", text).count("}")


@pytest.mark.slow
@pytest.mark.skipif(
    not shutil.which("pdflatex"), reason="needs pdflatex with booktabs, which is not installed"
)
def test_latex_prints_every_table_and_none_is_wider_than_the_text(tmp_path: Path) -> None:
    root = Path(__file__).parents[1] / "golden" / "ledger"
    assert main([str(root), "--tables", str(tmp_path), "--out", str(tmp_path / "report.html")]) == 0
    tables = sorted(path.name for path in tmp_path.glob("*.tex"))
    assert "headline.tex" in tables
    packages = [
        rf"\usepackage{each}" for each in ("[utf8]{inputenc}", "[T1]{fontenc}", "{booktabs}", "{graphicx}")
    ]
    body = [r"\begin{document}", *(rf"\input{{{name}}}\clearpage" for name in tables), r"\end{document}"]
    (tmp_path / "all.tex").write_text("\n".join([r"\documentclass{article}", *packages, *body]))
    told = subprocess.run(
        ["pdflatex", "-halt-on-error", "all.tex"], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert told.returncode == 0, told.stdout
    assert f"({len(tables)} pages" in told.stdout
    assert "Overfull" not in told.stdout


@given(cells=CELLS)
def test_a_markdown_table_has_a_cell_for_each_cell(cells: list[tuple[str, float, int]]) -> None:
    text = as_markdown(table(cells), CARDS, "arms")
    rows = [line for line in text.split("\n") if line.startswith("| ")]
    assert len(rows) == len(cells) + 2
    assert {len(re.findall(r"(?<!\\)(?:\\\\)*\|", row)) for row in rows} == {4}
    assert "- corpus: emo\\_db, 100 % \\# clean" in text


def test_people_read_percent_and_deviations_and_a_dash() -> None:
    frame = pd.DataFrame(
        {
            "arm": ["darts", ""],
            "ua": [0.78449, np.nan],
            "ua_sd": [0.0451, 0.1],
            "pooled_f1": [1.0, 0.0],
            "search_s": [148.4, 0.2],
            "parameters": [97363.0, 1e6],
            "front_ms": [True, False],
            "lonely_sd": [0.5, 0.25],
            "candidate": [3.0, np.nan],
        }
    )
    assert shown(frame) == {
        "arm": ["darts", MISSING],
        "ua": ["78.4 ± 4.5", MISSING],
        "pooled_f1": ["100.0", "0.0"],
        "search_s": ["148", "0"],
        "parameters": ["97363", "1000000"],
        "front_ms": ["yes", "no"],
        "lonely_sd": ["0.5", "0.25"],
        "candidate": ["3", MISSING],
    }
    assert (
        "| arm | UA % | pooled F1 % | search s | parameters | front ms | lonely sd | candidate |"
        in as_markdown(frame, {}, "x")
    )
    assert r"78.4 $\pm$ 4.5" in as_latex(frame, {}, "x")


def test_an_empty_frame_is_a_table_without_rows() -> None:
    nothing = table([]).astype({"ua": float})
    assert as_csv(nothing, {}).count("\n") == 1
    assert r"\midrule" + "\n" + r"\bottomrule" in as_latex(nothing, {}, "x")


@pytest.mark.parametrize("where", ["folder", "memory"])
def test_every_file_carries_the_cards_of_all_studies(tmp_path: Path, where: str) -> None:
    for name in ("a", "b"):
        simulated(tmp_path / name, arms=("cnn",), folds=2)
    results = analysis.load(tmp_path / "a", tmp_path / "b")
    folder = tmp_path / "out" if where == "folder" else storage.place(f"memory://{tmp_path.name}/out")
    frames: dict[str, Any] = {"arms": results.arms, "pareto": results.pareto}
    paths = write(folder, frames, results.cards)
    assert [path.name for path in paths] == [
        f"{name}.{kind}" for name in frames for kind in ("csv", "parquet", "md", "tex")
    ]
    for path in paths:
        for name in ("a", "b"):
            assert str(tmp_path / name).rsplit("/", 1)[0].encode() in storage.read(path).replace(b"\\", b"")
            assert b"chosen by test scores" in storage.read(path)
    assert len(card_lines(results.cards)) == 2 * len(card_lines({NAME: results.cards[str(tmp_path / "a")]}))

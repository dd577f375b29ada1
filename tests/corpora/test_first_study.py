"""The first study that a check offers suits the corpus, and never has a speaker on two sides."""

import shlex
import tempfile
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import soundfile

from raysernas.config.fault import Fault
from raysernas.config.files import load, shipped
from raysernas.config.schema import Config
from raysernas.corpora import __main__ as door
from raysernas.corpora.check import first_study
from raysernas.corpora.check.report import CorpusReport, Scheme
from tests.corpora.test_check_printing import FINE, overrides, screen

SESSION, SPEAKER, RANDOM = FINE.schemes
OWN = replace(FINE, corpus="manifest", root="/data/anna/labels.csv")
REAL = [path.stem for path in sorted(shipped().glob("*.yaml")) if path.stem not in ("laptop", "published")]


def parse(text: str, name: str) -> Config:
    """The configuration in a file of this text."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / Path(name).with_suffix(".yaml")
        path.write_text(text, encoding="utf-8")
        return load(str(path))


@pytest.mark.parametrize(
    "root",
    [
        "/data/a b",
        "/a: b",
        "/a #b",
        "/it's",
        '/"a"',
        "/ü/[b]",
        "/a,b",
        "/a=b",
        "/{a}",
        "/new\nline",
        "/$HOME",
        "/a\\b",
    ],
)
def test_command_and_file_mean_the_root_for_the_shell_and_for_yaml(root: str) -> None:
    report = replace(FINE, root=root)
    assert load("emodb", overrides(first_study.command(report))).corpus.root == root
    own = replace(OWN, root=root)
    assert parse(first_study.as_yaml(own), "mine").corpus.root == root
    assert shlex.split(first_study.command(own))[6] == root


def test_a_shipped_study_is_run_with_what_is_needed_and_no_more() -> None:
    assert overrides(first_study.command(FINE)) == ["corpus.root=/data/emodb"]
    other = replace(FINE, label="perceived", channel="left")
    assert overrides(first_study.command(other))[1:] == ["corpus.label=perceived", "corpus.channel=left"]
    by_session = replace(SESSION, folds=("1", "2"))
    only = replace(FINE, schemes=(by_session, replace(SPEAKER, folds=()), RANDOM))
    assert overrides(first_study.command(only))[1:] == ["corpus.folds=session"]


def test_a_corpus_without_a_shipped_study_gets_a_file_of_its_own() -> None:
    assert first_study.command(OWN) == (
        "python -P -m raysernas.corpora study manifest /data/anna/labels.csv > anna.yaml && "
        "python -P -m raysernas.launch anna.yaml"
    )
    config, trained = parse(first_study.as_yaml(OWN), "anna.yaml"), load("emodb")
    assert (config.study.name, config.study.folds, config.corpus.folds) == ("anna", (), "speaker")
    assert (config.retrain, config.search) == (trained.retrain, trained.search)
    assert config.network == Config().network


@pytest.mark.parametrize(
    ("mean_s", "window_s"), [(1.81, 2.0), (4.55, 5.0), (0.3, 1.0), (40.0, 8.0), (3.0, 3.0)]
)
def test_the_window_is_as_long_as_the_mean_utterance(mean_s: float, window_s: float) -> None:
    report = replace(OWN, durations=replace(OWN.durations, mean_s=mean_s))
    assert parse(first_study.as_yaml(report), "mine").features.window_s == window_s


def test_varied_sound_that_does_not_fit_into_memory_is_left_out() -> None:
    report = replace(OWN, durations=replace(OWN.durations, hours=200.0))
    retrain = parse(first_study.as_yaml(report), "mine").retrain
    assert (retrain.speeds, retrain.versions, retrain.epochs, retrain.mixup) == ((), 0, 70, 0.2)


@pytest.mark.parametrize(
    ("root", "name"),
    [
        ("/data/anna/labels.csv", "anna"),
        ("/data/anna/part 1.csv", "anna_part_1"),
        ("/data/anna/wav/labels.csv", "anna"),
        ("/corpora/berta", "berta"),
        ("s3://bucket/berta/data/all.parquet", "berta"),
        ("/labels.csv", "study"),
        ("/.hidden/all.csv", "hidden"),
    ],
)
def test_a_manifest_is_named_after_its_folder_or_table(root: str, name: str) -> None:
    report = replace(OWN, root=root)
    assert first_study.name(report) == name
    assert parse(first_study.as_yaml(report), "mine").study.name == name


def test_speakers_are_never_on_two_sides() -> None:
    leaky = replace(OWN, schemes=(RANDOM, replace(SPEAKER, folds=(), why_not="too few speakers")))
    assert first_study.command(leaky) == ""
    assert "every possible scheme of folds has the same speakers in training and test" in screen(leaky, 200)
    with pytest.raises(Fault, match="no first study is possible"):
        first_study.as_yaml(leaky)
    assert screen(replace(FINE, schemes=(SESSION,))).endswith("no study is possible: no folds can be made")
    with pytest.raises(Fault, match="cannot be learned"):
        first_study.as_yaml(replace(OWN, hindrance="the emotion 'joy' cannot be learned"))


def test_all_usual_groups_are_folds() -> None:
    groups = Scheme(
        name="speaker_groups", usual=True, speaker_dependent=False, folds=("a", "b", "c", "d"), why_not=""
    )
    config = parse(first_study.as_yaml(replace(OWN, schemes=(replace(SPEAKER, usual=False), groups))), "mine")
    assert (config.corpus.folds, config.corpus.groups, config.study.folds) == ("speaker_groups", 4, ())


@pytest.mark.parametrize("plain", [FINE, OWN])
def test_validation_speakers_choose_a_level_only_where_levels_are_far_apart(plain: CorpusReport) -> None:
    def study(levels_db: dict[str, float]) -> Config:
        report = replace(plain, levels_db=levels_db)
        if plain is FINE:
            return load("emodb", overrides(first_study.command(report)))
        return parse(first_study.as_yaml(report), "mine")

    far, near = study({"a": -14.0, "b": -36.0}), study({"a": -14.0, "b": -16.0})
    assert (near.study.candidates, near.study.space, near.study.points) == (1, {}, {})
    assert far.study.candidates == 4
    assert far.study.space == {
        "features.level": {"choices": ["as_is", "utterance"]},
        "features.normalisation": {"choices": ["train", "utterance"]},
    }
    tried = {tuple(point[key] for key in far.study.space) for point in far.study.points.values()}
    written = (far.features.level, far.features.normalisation)
    assert {written, *tried} == set(product(("as_is", "utterance"), ("train", "utterance")))
    assert len(tried) == 3


@pytest.mark.parametrize("study", REAL)
def test_shipped_studies_train_alike(study: str) -> None:
    own = load(study).retrain
    best = load("emodb_pretrained" if study.endswith("_pretrained") else "emodb").retrain
    assert own == (best if study != "msp_podcast" else replace(best, speeds=(), versions=0))


def test_the_door_writes_a_file_that_can_be_launched_from_anywhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = ["file,emotion,speaker"]
    for number in range(12):
        noise = np.random.default_rng(number).uniform(-0.1, 0.1, 8_000)
        soundfile.write(tmp_path / f"{number}.wav", noise, 16_000)
        rows.append(f"{number}.wav,{'joy' if number % 2 else 'fear'},s{number // 4}")
    (tmp_path / "clips.csv").write_text("\n".join(rows), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert door.main(["study", "manifest", "clips.csv"]) == 0
    out, error = capsys.readouterr()
    assert parse(out, "mine").corpus.root == str(tmp_path / "clips.csv")
    assert error == ""
    assert door.main(["study", "manifest", "gone.csv"]) == 2

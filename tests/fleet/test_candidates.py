"""Laws of candidates: each has a file of its own, holds the settings that its arm reads, and is the truth
about what the study proposed.
"""

from pathlib import Path

import pytest

from raysernas.fleet import candidates
from raysernas.record.files import CandidateGroup, StudyFiles
from tests.support.faults import refusal
from tests.support.fleet import drain, params, proposed, study


def test_an_arm_is_proposed_only_what_it_reads(tmp_path: Path) -> None:
    drain(tmp_path, study())
    assert [sorted(found) for found in params(tmp_path, "cnn")] == 3 * [["retrain.lr"]]
    assert [sorted(found) for found in params(tmp_path, "darts")] == 3 * [["retrain.lr", "search.alphas_lr"]]


def test_candidates_of_another_space_are_refused(tmp_path: Path) -> None:
    drain(tmp_path, study(), most=0)
    fault = refusal(lambda: drain(tmp_path, study("study.space={network.nodes: {choices: [2,3]}}")))
    assert fault.startswith(f"study: {tmp_path}/candidates/darts-c000.json holds other keys than study.space")


def test_what_is_read_back_is_what_was_proposed(tmp_path: Path) -> None:
    drain(tmp_path, study())
    found = candidates.load(StudyFiles(tmp_path))
    assert sorted(found) == ["cnn", "darts"]
    assert [found["darts"][number].proposal.settings for number in range(3)] == proposed(tmp_path)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"given_up": null, "settings": {"retrain.lr": 0.1}', "null", "\0"]
)
def test_a_candidate_that_cannot_be_read_is_a_fault_that_names_it(tmp_path: Path, text: str) -> None:
    drain(tmp_path, study(), most=1)
    path = StudyFiles(tmp_path).candidate(CandidateGroup(arm="darts"), 0)
    path.write_text(text)
    assert refusal(lambda: drain(tmp_path, study())).startswith(f"study: cannot read {path}\n")

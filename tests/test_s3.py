"""A study whose corpus and storage are in a bucket: its machine dies, and another one with an empty disk
finishes it; every trial runs once.

The bucket is moto's, a real HTTP server on loopback that speaks S3.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile

from tests.fleet.test_runner import descendants, table
from tests.support.ledgers import simulated

ROOT = Path(__file__).parent.parent
DEADLINE_S = 400
TRIALS = 6
SPEAKERS, EMOTIONS, TAKES = ("anna", "bert", "cleo", "dora"), ("anger", "calm"), 3
STUDY = (
    "laptop",
    "study.name=tiny",
    "study.arms=[cnn]",
    "study.candidates=3",
    "study.generation=1",
    "study.folds=[0,1]",
    "study.space={retrain.lr: {low: 0.001, high: 0.01, log: true}}",
    "study.resources.cpus=2",
    "corpus.name=manifest",
    "corpus.folds=speaker",
    "network.designed_channels=2",
    "retrain.epochs=2",
)
# columns in which a disturbed study may differ from an undisturbed one, and those that are measured:
UNLIKE = {"attempts"}
MEASURED = ("_s", "_mb", "_ms")


@dataclass(frozen=True)
class Machine:
    """A machine with an empty disk: its own home, working directory and credentials."""

    folder: Path
    endpoint: str

    def run(self, *words: str) -> subprocess.Popen[str]:
        """A Python of this machine."""
        home = self.folder / "home"
        (self.folder / "work").mkdir(parents=True, exist_ok=True)
        environment = {
            "PATH": os.environ["PATH"],
            "TMPDIR": os.environ["TMPDIR"],
            "HOME": str(home),
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "nobody",
            "AWS_SECRET_ACCESS_KEY": "nothing",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        return subprocess.Popen(
            [sys.executable, *words],
            cwd=self.folder / "work",
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def launch(self, storage: str, corpus: str) -> subprocess.Popen[str]:
        """The command of the study."""
        return self.run("-m", "raysernas.launch", *STUDY, f"study.storage={storage}", f"corpus.root={corpus}")

    def ledger(self, root: str) -> pd.DataFrame:
        """All rows of a study, as this machine reads them."""
        path = self.folder / "ledger.parquet"
        code = (
            "import sys; from raysernas.record import files, ledger, storage\n"
            "ledger.table(files.StudyFiles(storage.place(sys.argv[1]))).to_parquet(sys.argv[2])"
        )
        ended(self.run("-c", code, root, str(path)))
        return pd.read_parquet(path)


def ended(process: subprocess.Popen[str], code: int = 0) -> tuple[str, str]:
    """What it printed, once it has ended with this exit code."""
    try:
        out, err = process.communicate(timeout=DEADLINE_S)
    finally:
        process.kill()
    assert process.returncode == code, out + err
    return out, err


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """A local S3, with a bucket `bucket`."""
    server = pytest.importorskip("moto.server").ThreadedMotoServer(
        ip_address="127.0.0.1", port=0, verbose=False
    )
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def client(endpoint: str) -> Iterator[Any]:
    """A client that looks into the bucket from outside."""
    import boto3

    found = boto3.client(
        "s3", endpoint_url=endpoint, aws_access_key_id="n", aws_secret_access_key="n", region_name="us-east-1"
    )
    found.create_bucket(Bucket="bucket")
    yield found
    found.close()


@pytest.fixture(autouse=True)
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A short path for what a killed launch leaves behind."""
    with tempfile.TemporaryDirectory(prefix="t-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        monkeypatch.setenv("TMPDIR", folder)
        yield


@pytest.fixture
def corpus(tmp_path: Path, client: Any) -> Path:
    """A small corpus of noise with a manifest, on the disk and in the bucket."""
    folder = tmp_path / "corpus"
    (folder / "wav").mkdir(parents=True)
    rng, rows = np.random.default_rng(0), ["file,emotion,speaker"]
    for speaker in SPEAKERS:
        for emotion in EMOTIONS:
            for take in range(TAKES):
                name = f"wav/{speaker} {emotion}{take}.wav"
                soundfile.write(folder / name, rng.uniform(-0.1, 0.1, 16_000), 16_000)
                rows.append(f"{name},{emotion},{speaker}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    for path in folder.rglob("*"):
        if path.is_file():
            client.upload_file(str(path), "bucket", f"corpus/{path.relative_to(folder).as_posix()}")
    return folder


def records(client: Any, prefix: str = "studies") -> dict[str, Any]:
    """Name -> time of writing, of every record in the bucket."""
    objects = client.list_objects_v2(Bucket="bucket", Prefix=f"{prefix}/tiny/trials/").get("Contents", [])
    return {one["Key"].rpartition("/")[2]: one["LastModified"] for one in objects}


def kill_machine(launch: subprocess.Popen[str]) -> None:
    """The driver and everything that it has started, at once."""
    for pid in [launch.pid, *descendants(launch.pid)]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    launch.communicate()


@pytest.mark.slow
@pytest.mark.chaos
def test_another_machine_finishes_a_study_in_a_bucket(
    tmp_path: Path, client: Any, endpoint: str, corpus: Path
) -> None:
    first, second, third = (Machine(tmp_path / name, endpoint) for name in ("first", "second", "third"))
    storage, root = "s3://bucket/studies", "s3://bucket/corpus/labels.csv"
    launch = first.launch(storage, root)
    end = time.monotonic() + DEADLINE_S
    while len(records(client)) < 3 and launch.poll() is None and time.monotonic() < end:
        time.sleep(0.1)
    alive = launch.poll() is None
    kill_machine(launch)
    kept = records(client)
    assert alive
    assert 3 <= len(kept) < TRIALS

    out, err = ended(second.launch(storage, root))
    assert err.startswith("s3://bucket/studies/tiny is held by process ")  # until its lease is old
    assert sum(line.startswith("[") for line in out.splitlines()) == TRIALS - len(kept)
    assert len(records(client)) == TRIALS
    assert records(client).items() >= kept.items(), "what had ended is not run again"
    assert "curves     aws s3 sync s3://bucket/studies/tiny/tensorboard tensorboard-tiny &&" in out

    printed, _ = ended(third.run("-m", "analysis", f"{storage}/tiny"))
    assert "Test scores in percent" in printed
    assert table(printed).partition("Report: ")[0].strip() in out, (
        "the launch and the analysis print the same tables"
    )

    undisturbed, _ = ended(third.launch(str(tmp_path / "local"), str(corpus / "labels.csv")))
    assert table(undisturbed).splitlines()[:5] == table(out).splitlines()[:5]
    found, expected = third.ledger(f"{storage}/tiny"), third.ledger(str(tmp_path / "local" / "tiny"))
    assert not found.duplicated(["arm", "candidate", "fold", "seed", "retrain_seed"]).any()
    assert len(found) == TRIALS
    unlike = [name for name in map(str, expected) if name in UNLIKE or name.endswith(MEASURED)]
    pd.testing.assert_frame_equal(found.drop(columns=unlike), expected.drop(columns=unlike))


@pytest.mark.slow
@pytest.mark.chaos
def test_a_launch_that_wakes_in_a_study_that_another_runs_ends(
    tmp_path: Path, client: Any, endpoint: str, corpus: Path
) -> None:
    """As a laptop that was closed: all of its processes stop and go on, and in between another machine has
    taken over.
    """
    first, second = Machine(tmp_path / "first", endpoint), Machine(tmp_path / "second", endpoint)
    where, end = ("s3://bucket/asleep", str(corpus / "labels.csv")), time.monotonic() + DEADLINE_S
    sleeper, other = first.launch(*where), None
    asleep: list[int] = []
    try:
        while not records(client, "asleep") and sleeper.poll() is None and time.monotonic() < end:
            time.sleep(0.1)
        asleep = [sleeper.pid, *descendants(sleeper.pid)]
        for pid in asleep:
            os.kill(pid, signal.SIGSTOP)
        kept = records(client, "asleep")
        assert 1 <= len(kept) < TRIALS
        other = second.launch(*where)
        while len(records(client, "asleep")) == len(kept) and other.poll() is None and time.monotonic() < end:
            time.sleep(0.1)
        for pid in asleep:
            os.kill(pid, signal.SIGCONT)
        _, err = ended(sleeper, 2)
        assert err.startswith("study: s3://bucket/asleep/tiny has been taken over by another launch\n")
        out, _ = ended(other)
    finally:
        for launch in (sleeper, other):
            if launch is not None and launch.poll() is None:
                kill_machine(launch)
    assert f"[{TRIALS}/{TRIALS}]" in out
    assert len(records(client, "asleep")) == TRIALS
    found = second.ledger("s3://bucket/asleep/tiny")
    assert not found.duplicated(["arm", "candidate", "fold", "seed", "retrain_seed"]).any()
    assert set(found["status"]) == {"finished"}


@pytest.mark.slow
def test_a_missing_bucket_is_a_fault(tmp_path: Path, client: Any, endpoint: str, corpus: Path) -> None:
    machine = Machine(tmp_path / "first", endpoint)
    _, err = ended(machine.launch("s3://nosuch/studies", str(corpus / "labels.csv")), 2)
    assert err.startswith("storage: cannot write s3://nosuch/studies/tiny/leases/000001.json\n")
    _, err = ended(machine.launch("s3://bucket/other", "s3://nosuch/corpus"), 2)
    assert "finds nothing at s3://nosuch/corpus" in err
    assert "Traceback" not in err


CREATE = """
import sys
from raysernas.record import storage
path = storage.place(sys.argv[1])
assert [storage.create(path, str(number).encode()) for number in range(4)] == [True, False, False, False]
assert storage.read(path) == b"0"
"""


@pytest.mark.slow
def test_an_existing_object_is_not_created_again(tmp_path: Path, client: Any, endpoint: str) -> None:
    """By the store itself (`If-None-Match`). That it decides between requests at the same time S3 promises;
    moto does not.
    """
    ended(Machine(tmp_path / "first", endpoint).run("-c", CREATE, "s3://bucket/leases/000001.json"))


FETCH = """
import sys
from pathlib import Path
from raysernas.corpora import fetched
found = fetched.local(sys.argv[1], Path(sys.argv[2])).rglob("*")
print(sorted(path.name for path in found if not path.name.startswith(".")))
"""


@pytest.mark.slow
def test_hostile_names_of_a_real_store_are_refused_and_odd_ones_are_not(
    tmp_path: Path, client: Any, endpoint: str
) -> None:
    machine, odd = (
        Machine(tmp_path / "first", endpoint),
        ["a #1.wav", "b?.wav", "c%20.wav", "d ä.wav", "e+.wav"],
    )
    for name in odd:
        client.put_object(Bucket="bucket", Key=f"odd/{name}", Body=b"x")
    client.put_object(Bucket="bucket", Key="odd2/neighbour.wav", Body=b"x")
    out, _ = ended(machine.run("-c", FETCH, "s3://bucket/odd", str(tmp_path / "cache")))
    assert out.strip() == str(odd)
    client.put_object(Bucket="bucket", Key="odd/../../evil.wav", Body=b"x")
    _, err = ended(machine.run("-c", FETCH, "s3://bucket/odd", str(tmp_path / "cache")), 1)
    assert "has a name that must not be followed\n  got: '../../evil.wav'" in err
    assert not list(tmp_path.rglob("evil.wav"))


@pytest.mark.slow
def test_a_bucket_and_a_folder_give_the_same_analysis(tmp_path: Path, endpoint: str, client: Any) -> None:
    here, machine = tmp_path / "study", Machine(tmp_path / "machine", endpoint)
    simulated(here, folds=2, seeds=1, predictions=True, histories=True)
    for path in here.rglob("*.*"):
        client.upload_file(str(path), "bucket", f"analysed/{path.relative_to(here).as_posix()}")
    code = (
        "import sys, analysis; results = analysis.load(sys.argv[1]); print(results.remarks)\n"
        "print(results.arms.to_csv(), results.speakers.to_csv(), results.histories.to_csv())"
    )
    one, two = (ended(machine.run("-c", code, root))[0] for root in (str(here), "s3://bucket/analysed"))
    assert one == two
    assert "()" in one.splitlines()[0]

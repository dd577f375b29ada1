"""Laws of spot notices: those of three clouds come from real local HTTP servers; the file that trials
read; the process of the agent.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from raysernas.fleet import notice
from raysernas.fleet.notice import Agent, announce, cloud_notice, leaving, withdraw

TOKEN = "t0ken"
AZURE = {
    "/metadata/scheduledevents": json.dumps({"Events": [{"EventType": "Preempt", "Resources": ["node-7"]}]}),
    "/metadata/instance/compute": json.dumps({"name": "node-7"}),
}
OTHERS = {**AZURE, "/metadata/instance/compute": json.dumps({"name": "node-8"})}
ACTION = json.dumps({"action": "terminate", "time": "2026-01-01T00:02:00Z"})


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notice.tempfile, "tempdir", str(tmp_path))


@contextmanager
def service(answers: dict[str, str]) -> Iterator[str]:
    """A metadata service that wants what the clouds want: a token of AWS, the headers of the others. Gives
    its address.
    """

    class Service(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self.tell(TOKEN if "X-aws-ec2-metadata-token-ttl-seconds" in self.headers else None)

        def do_GET(self) -> None:
            aws = self.path.startswith("/latest/")
            named = self.headers.get("Metadata-Flavor") == "Google" or self.headers.get("Metadata") == "true"
            allowed = self.headers.get("X-aws-ec2-metadata-token") == TOKEN if aws else named
            self.tell(answers.get(self.path.partition("?")[0]) if allowed else None)

        def tell(self, text: str | None) -> None:
            self.send_response(404 if text is None else 200)
            self.end_headers()
            self.wfile.write((text or "").encode())

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize(
    ("cloud", "answers", "reason"),
    [
        ("aws", {}, ""),
        (
            "aws",
            {"/latest/meta-data/spot/instance-action": ACTION},
            "a spot interruption of AWS, at 2026-01-01T00:02:00Z",
        ),
        (
            "aws",
            {"/latest/meta-data/events/recommendations/rebalance": '{"noticeTime": "now"}'},
            "a rebalance recommendation of AWS, at now",
        ),
        ("aws", {"/latest/meta-data/spot/instance-action": "<html>"}, ""),
        ("gcp", {}, ""),
        ("gcp", {"/computeMetadata/v1/instance/preempted": "FALSE"}, ""),
        ("gcp", {"/computeMetadata/v1/instance/preempted": "TRUE"}, "a preemption by GCP"),
        ("azure", {"/metadata/scheduledevents": '{"Events": []}'}, ""),
        ("azure", AZURE, "a scheduled event of Azure: Preempt"),
        ("azure", OTHERS, ""),  # it is for another machine of the set
    ],
)
def test_a_notice_of_a_cloud_is_understood(cloud: str, answers: dict[str, str], reason: str) -> None:
    with service(answers) as host:
        assert cloud_notice(cloud, host) == reason


def test_no_metadata_service_is_no_notice() -> None:
    assert cloud_notice("aws", "http://127.0.0.1:1") == ""


def test_a_notice_file_counts_for_its_node_while_it_is_fresh(tmp_path: Path) -> None:
    assert leaving("n1") == ""
    announce("soon", "n1")
    assert (leaving("n1"), leaving("n2"), leaving()) == ("soon", "", "")
    withdraw("n1")
    assert leaving("n1") == ""
    announce("all of us")
    assert (leaving("n1"), leaving()) == ("all of us", "all of us")
    path = next(tmp_path.glob("raysernas-leaving-*/node"))
    old = time.time() - notice.FRESH_S - 1
    os.utime(path, (old, old))
    assert leaving() == ""
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_the_agent_announces_first_drains_once_and_withdraws_when_the_cloud_does() -> None:
    notices, drained = ["", "soon", "soon", ""], []

    def drain(reason: str, deadline_s: int) -> str:
        drained.append((reason, leaving(), deadline_s))
        return ""

    agent = Agent(lambda: notices.pop(0), drain, cloud="aws")
    seen = []
    for _ in range(4):
        agent.look()
        seen.append(leaving())
    assert seen == ["", "soon", "soon", ""]
    assert drained == [("soon", "soon", 120)]


def test_the_notice_stands_when_draining_fails(capsys: pytest.CaptureFixture[str]) -> None:
    Agent(lambda: "soon", lambda *_: "no such node", cloud="gcp").look()
    assert leaving() == "soon"
    assert capsys.readouterr().out == "soon; draining failed: no such node\n"


@pytest.mark.slow
def test_sigterm_is_a_notice(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "raysernas.fleet.notice", "--node-id", "abc", "--address", "127.0.0.1:1"]
    with service({}) as host:
        agent = subprocess.Popen(
            [*command, "--cloud", "aws", "--host", host],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "TMPDIR": str(tmp_path)},
        )
        try:
            handled = time.monotonic() + 60
            status = Path(f"/proc/{agent.pid}/status")
            while time.monotonic() < handled and "SigCgt:\t0000000000004" not in status.read_text():
                time.sleep(0.05)
            agent.send_signal(signal.SIGTERM)
            out, _ = agent.communicate(timeout=120)
        finally:
            agent.kill()
            agent.wait()
    assert agent.returncode == 0
    assert out.startswith("SIGTERM for this node; draining failed: ")  # there is no cluster
    # Ray may take longer to refuse than a flag is fresh
    assert leaving("abc") == "SIGTERM for this node" or not leaving("abc")
    assert list(tmp_path.glob("raysernas-leaving-*/abc"))

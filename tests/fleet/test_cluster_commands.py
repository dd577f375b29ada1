"""Cluster files, what a person types and what a shell runs: every command parses, and Slurm's warning reaches
the trials.

Ray's commands are parsed by Ray, ours by us. Those of the clouds (aws, gcloud, az, kubectl, docker, sbatch)
are not checked here; tests/clusters/aws.sh runs those of AWS.
"""

import importlib.util
import os
import re
import shlex
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml

from raysernas import launch
from raysernas.config.files import load

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "clusters"
SCRIPTS = sorted([*FOLDER.glob("*.sh"), *(ROOT / "tests" / "clusters").glob("*.sh")])
README = (ROOT / "README.md").read_text(encoding="utf-8")
HEADED = sorted([*FOLDER.glob("*.yaml"), *FOLDER.glob("*.sh"), FOLDER / "Dockerfile"])
LABELS = ("COMMAND", "ONCE", "START", "SUBMIT", "WATCH", "FETCH", "STOP")
STUDIES = ("aws.yaml", "gcp.yaml", "azure.yaml", "on_prem.yaml", "kuberay.yaml", "slurm.sh")
LONGEST_S = 60.0  # until a process has done what it will do


def header(path: Path) -> dict[str, list[str]]:
    """Its commands by label; an explanation stands three spaces behind a command."""
    found: dict[str, list[str]] = {}
    label = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            break
        if match := re.match(r"# ([A-Z]*) +(?=\S)", line):
            label = match[1] or label
            if line.startswith((f"# {label.ljust(9)} ", "#           ")):
                found.setdefault(label, []).append(re.split(r" {3,}", line[12:])[0].strip())
        else:
            label = ""
    return {label: commands for label, commands in found.items() if label in LABELS}


def written() -> Iterator[tuple[str, str]]:
    """(where, command) of all headers, of README's section and of the start commands."""
    for path in HEADED:
        for commands in header(path).values():
            yield from ((path.name, command) for command in commands)
    section = README.split("## A cluster in five commands")[1].split("\n## ")[0]
    block = section.split("```sh\n")[1].split("```")[0]
    yield from (("README.md", re.split(r" +# ", line)[0]) for line in block.splitlines())
    for name in ("aws", "gcp", "azure", "on_prem"):
        config = yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
        for command in (*config["head_start_ray_commands"], *config["worker_start_ray_commands"]):
            yield from ((f"{name}.yaml", each.strip(" &")) for each in command.split(";"))


def words_of(command: str) -> list[str]:
    """Without leading assignments and what only surrounds a command."""
    words = shlex.split(command, comments=True)
    while words and (re.match(r"\w+=", words[0]) or words[0] in ("setsid", "nohup", "exec")):
        words.pop(0)
    return words


def of(*names: str) -> list[tuple[str, str]]:
    """The written commands of these programs."""
    return [(where, command) for where, command in written() if (words_of(command) or [""])[0] in names]


def parse_ray(words: list[str]) -> None:
    """Every option is one that Ray knows; nothing is run."""
    from ray.scripts.scripts import cli

    command: click.Command = cli
    while isinstance(command, click.Group):
        name = words.pop(0)
        assert name in command.commands, f"ray has no {name}"
        command = command.commands[name]
    command.make_context(command.name, words)


def ours(words: list[str]) -> list[str]:
    """What stands behind `python -m raysernas.launch` in a command; the user's own names filled in."""
    at = words.index("raysernas.launch")
    return [word.replace("PATH/TO", "/data") for word in words[at + 1 :]]


# --- what a person types


@pytest.mark.parametrize("name", STUDIES)
def test_a_header_says_how_to_submit_watch_fetch_and_stop_and_what_it_costs(name: str) -> None:
    text = (FOLDER / name).read_text(encoding="utf-8")
    commands = header(FOLDER / name)
    assert {"ONCE", "SUBMIT", "WATCH", "FETCH", "STOP"} <= {*commands}
    assert any("tensorboard" in command for label in ("WATCH", "FETCH") for command in commands[label])
    assert "8265" in text
    assert "# COST of 100 trials" in text
    assert "That is an assumption" in text or "is an assumption" in text


@pytest.mark.parametrize(("where", "command"), of("ray"))
def test_ray_knows_a_command(where: str, command: str) -> None:
    words = words_of(command)
    if "-m" in words:
        del words[words.index("--") :]  # of raysernas, below
        words += ["--", "true"]
    parse_ray([re.sub(r">.*", "", word) for word in words[1:]])


def test_the_commands_of_ray_that_are_used_exist() -> None:
    """The test above would tell."""
    with pytest.raises(click.UsageError):
        parse_ray(["up", "--yess", "my.yaml"])
    with pytest.raises(click.UsageError):
        parse_ray(["start", "--dashbord-host=127.0.0.1"])


def launches() -> list[tuple[str, list[str]]]:
    """What the launches of headers, README, kuberay.yaml and slurm.sh are given."""
    found = [
        (where, ours(shlex.split(command))) for where, command in written() if "raysernas.launch" in command
    ]
    objects = yaml.safe_load_all((FOLDER / "kuberay.yaml").read_text(encoding="utf-8"))
    found += [
        ("kuberay.yaml", ours(shlex.split(each["spec"]["entrypoint"])))
        for each in objects
        if each["kind"] == "RayJob"
    ]
    (given,) = (command for command in header(FOLDER / "slurm.sh")["SUBMIT"] if command.startswith("sbatch"))
    # it adds the address of its own head
    return [*found, ("slurm.sh", [*shlex.split(given)[2:], "study.resources.address=auto"])]


@pytest.mark.parametrize(("where", "words"), launches())
def test_a_launch_knows_its_settings(where: str, words: list[str]) -> None:
    parsed = launch._parse(words)
    names = [word for word in parsed.words if "=" not in word]
    config = load(names[0], [word for word in parsed.words if "=" in word])
    assert config.study.resources.address == "auto"
    assert config.study.storage != "results"  # which would be a folder of the head


def test_the_module_of_the_start_commands_exists() -> None:
    assert importlib.util.find_spec("raysernas.fleet.notice")


@pytest.mark.parametrize(("where", "command"), of("sh", "sbatch", "kubectl"))
def test_every_script_and_file_that_a_command_names_exists(where: str, command: str) -> None:
    for word in words_of(command)[1:]:
        if word.startswith("clusters/"):
            assert (ROOT / word).is_file()


# --- what a shell runs


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_passes_shellcheck(path: Path) -> None:
    shell = "sh" if path.read_text(encoding="utf-8").startswith("#!/bin/sh") else "bash"
    subprocess.run([shell, "-n", str(path)], check=True)
    if not shutil.which("shellcheck"):
        pytest.skip("shellcheck is not installed")
    run = subprocess.run(
        ["shellcheck", "--severity=warning", "--external-sources", str(path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert run.returncode == 0, run.stdout


@pytest.mark.slow
def test_only_the_owner_can_read_what_machines_are_given(tmp_path: Path) -> None:
    """The token is made once; the wheel is built anew, here without a network."""
    # pip's word for: with what is installed
    environment = os.environ | {"HOME": str(tmp_path), "PIP_NO_BUILD_ISOLATION": "0"}
    kept = tmp_path / ".raysernas"
    tokens = set()
    for _ in range(2):
        subprocess.run(
            ["sh", str(FOLDER / "prepare.sh")], env=environment, check=True, capture_output=True, cwd=tmp_path
        )
        tokens.add((kept / "auth_token").read_text())
    assert stat.S_IMODE(kept.stat().st_mode) == 0o700
    assert stat.S_IMODE((kept / "auth_token").stat().st_mode) == 0o600
    assert len(tokens) == 1
    assert re.fullmatch(r"[0-9a-f]{64}", tokens.pop())
    assert len(list(kept.glob("raysernas-*.whl"))) == 1
    for name in ("aws", "gcp", "azure", "on_prem"):
        mounts = yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))["file_mounts"]
        assert mounts == {"~/.raysernas": "~/.raysernas"}


# --- Slurm, of which srun and scontrol are fakes

JOB = os.getpid()  # a number that no other run of this test has, because its signals go by it
ADDRESS = f"n1:{20000 + JOB % 10000}"
FAKE = {
    "scontrol": 'echo "scontrol $*" >>"$LOG"; [ "$1" != show ] || printf "n1\\nn2\\n"',
    # The agent and the study live until they are stopped. The study is found by the words of its process,
    # as a launch is.
    "srun": """case "$*" in
*raysernas.fleet.notice*) trap 'exit' TERM; touch "$LOG.watching"; while :; do sleep 0.1; done ;;
*) echo "srun $*" >>"$LOG"; touch "$LOG.running"; [ -z "${STUDY_EXIT:-}" ] || exit "$STUDY_EXIT"
  (exec -a "python -m raysernas.launch ${*##*raysernas.launch }" sleep 600) || echo "study told" >>"$LOG"
  exit 143 ;;
esac""",
}


def slurm(folder: Path, **environment: str) -> subprocess.Popen[str]:
    """The script on two nodes, with fakes of Slurm's commands that log what they are asked."""
    for name, text in FAKE.items():
        (folder / name).write_text(f"#!/bin/bash\n{text}\n")
        (folder / name).chmod(0o755)
    given = {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "HOME": str(folder),
        "LOG": str(folder / "log"),
        "SLURM_JOB_NUM_NODES": "2",
        "SLURM_JOB_NODELIST": "n[1-2]",
        "SLURM_JOB_ID": str(JOB),
        "SLURM_CPUS_PER_TASK": "4",
    }
    words = ["bash", str(FOLDER / "slurm.sh"), "laptop", "study.storage=/shared/results"]
    return subprocess.Popen(
        words, env=given | environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    )


def wait_for(path: Path) -> None:
    end = time.monotonic() + LONGEST_S
    while not path.exists():
        assert time.monotonic() < end, path.name
        time.sleep(0.05)


def test_before_its_time_is_up_the_job_warns_the_study_and_is_requeued(tmp_path: Path) -> None:
    job = slurm(tmp_path)
    for event in ("watching", "running"):
        wait_for(tmp_path / f"log.{event}")
    os.kill(job.pid, signal.SIGTERM)  # --signal=B:TERM: the batch shell alone
    job.communicate(timeout=LONGEST_S)
    lines = (tmp_path / "log").read_text().splitlines()
    assert job.returncode == 0
    assert lines[-2:] == ["study told", f"scontrol requeue {JOB}"]
    (run,) = (line for line in lines if "symmetric-run" in line)
    assert f"--address {ADDRESS} --min-nodes 2 --num-cpus=4" in run
    assert run.endswith(
        "-- python -m raysernas.launch laptop study.storage=/shared/results "
        f"study.resources.address={ADDRESS}"
    )
    parse_ray(["symmetric-run", *shlex.split(run.split("symmetric-run")[1])])


@pytest.mark.parametrize("code", ["0", "1"])
def test_the_job_ends_with_the_exit_code_of_the_study(code: str, tmp_path: Path) -> None:
    job = slurm(tmp_path, STUDY_EXIT=code)
    job.communicate(timeout=LONGEST_S)
    assert job.returncode == int(code)
    assert "requeue" not in (tmp_path / "log").read_text()


def test_slurm_is_asked_to_warn_and_to_requeue() -> None:
    options = dict(
        re.findall(
            r"^#SBATCH --([\w-]+)=?(\S*)$", (FOLDER / "slurm.sh").read_text(encoding="utf-8"), re.MULTILINE
        )
    )
    assert {"requeue", "exclusive"} <= {*options}
    shell, _, seconds = options["signal"].partition("@")
    assert shell == "B:TERM"
    assert int(seconds) >= 120
    assert options["ntasks-per-node"] == "1"
    waited = re.search(
        r"RAY_SYMMETRIC_RUN_CLUSTER_WAIT_TIMEOUT=(\d+)", (FOLDER / "slurm.sh").read_text(encoding="utf-8")
    )
    assert waited
    assert int(waited[1]) > 30

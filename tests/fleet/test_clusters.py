"""Cluster files: what Ray checks of them, what it does not, and that nothing in them is open to the world.

The files really run in tests/clusters/on_prem.sh and aws.sh, which need root; here nothing is started.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from copy import deepcopy
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import ray
import yaml

from tests.clusters.keys import ANY, AWS, GCP, NETWORK_POLICY, PROVIDER, RAY_JOB, strangers, words
from tests.clusters.patch import patched

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "clusters"
LAUNCHED = ("aws", "gcp", "azure", "on_prem")  # by `ray up`
CLOUDS = ("aws", "gcp", "azure")
COMMANDS = (
    "initialization_commands",
    "setup_commands",
    "head_setup_commands",
    "worker_setup_commands",
    "head_start_ray_commands",
    "worker_start_ray_commands",
)
SETTINGS = ("RAY_AUTH_MODE=token", "RAY_AUTH_TOKEN_PATH=~/.raysernas/auth_token", "RAY_USAGE_STATS_ENABLED=0")
TEMPLATE = json.loads(
    files("ray").joinpath("autoscaler/_private/_azure/azure-vm-template.json").read_text(encoding="utf-8")
)
FILLED_BY_RAY = {
    "adminUsername",
    "publicKey",
    "msi",
    "nsg",
    "subnet",
    "vmName",
    "vmTags",
    "vmCount",
    "provisionPublicIp",
    "zones",
}
PARAMETERS = dict.fromkeys({*TEMPLATE["parameters"], "availability_zone"} - FILLED_BY_RAY, ANY)
AZURE = words("tags", azure_arm_parameters=PARAMETERS | {"billingProfile": words("maxPrice")})
NODE = {"aws": AWS, "gcp": GCP, "azure": AZURE, "local": {}}


def read(name: str) -> dict[str, Any]:
    """A cluster file as it is shipped."""
    return yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))


def kuberay() -> dict[str, Any]:
    """Its objects by kind."""
    return {
        each["kind"]: each
        for each in yaml.safe_load_all((FOLDER / "kuberay.yaml").read_text(encoding="utf-8"))
    }


def accepted(config: dict[str, Any]) -> dict[str, Any]:
    """By Ray's own checks, without a network; the configuration as Ray completes it."""
    from ray.autoscaler._private.util import prepare_config, validate_config

    complete = prepare_config(deepcopy(config))
    validate_config(complete)
    return complete


def complaints(config: dict[str, Any]) -> list[str]:
    """What Ray accepts and the cloud would not."""
    kind = config["provider"]["type"]
    found = list(strangers(config["provider"], PROVIDER[kind], "provider."))
    for name, node in config.get("available_node_types", {}).items():
        found += strangers(node["node_config"], NODE[kind], f"{name}.")
    for key in COMMANDS:
        if not isinstance(config.get(key), list) or not all(
            isinstance(command, str) for command in config[key]
        ):
            found.append(f"{key} is not a list of commands")
    return found


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Paths of all keys."""
    for key, inner in (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        if isinstance(key, str):
            yield (*path, key)
        yield from leaves(inner, (*path, key))


def starts(config: dict[str, Any]) -> list[str]:
    """The commands that start something that stays."""
    return [
        each for key in COMMANDS for each in config[key] if "ray start" in each or "raysernas.fleet" in each
    ]


# --- what Ray and the clouds know


@pytest.mark.parametrize("name", LAUNCHED)
def test_ray_and_the_cloud_know_every_key(name: str) -> None:
    config = read(name)
    accepted(config)
    assert complaints(config) == []


@pytest.mark.parametrize("name", LAUNCHED)
def test_a_misspelt_key_of_provider_or_machine_is_found(name: str) -> None:
    """Whichever it is; Ray itself would look for it in vain, or hand it on to the cloud."""
    config = read(name)
    places = [
        ("provider",),
        *(("available_node_types", each, "node_config") for each in config.get("available_node_types", {})),
    ]
    for place in places:
        part: Any = config
        for key in place:
            part = part[key]
        for path in leaves(part):
            wrong = deepcopy(config)
            at: Any = wrong
            for key in (*place, *path[:-1]):
                at = at[key]
            at[f"{path[-1]}s"] = at.pop(path[-1])
            if path != ("type",):
                assert complaints(wrong), path


@pytest.mark.parametrize("key", COMMANDS)
def test_a_command_that_is_no_list_is_found(key: str) -> None:
    assert complaints(read("aws") | {key: "ray stop"}) == [f"{key} is not a list of commands"]


def test_the_keys_of_aws_are_those_of_its_api() -> None:
    session = pytest.importorskip(
        "botocore.session", reason="boto3 is not installed: the list of EC2's keys is not compared"
    ).Session()
    shape = session.get_service_model("ec2").shape_for("RunInstancesRequest")

    def compare(known: Any, shape: Any) -> None:
        if isinstance(known, list):
            compare(known[0], shape.member)
        elif isinstance(known, dict):
            # SubnetIds is Ray's, of which it takes one
            assert set(known) - {"SubnetIds"} <= set(shape.members)
            for key, inner in known.items():
                compare(inner, shape.members.get(key))

    compare(AWS, shape)


def test_kuberay_knows_every_field() -> None:
    objects = kuberay()
    assert set(objects) == {"RayJob", "NetworkPolicy"}
    assert list(strangers(objects["RayJob"], RAY_JOB)) == []
    assert list(strangers(objects["NetworkPolicy"], NETWORK_POLICY)) == []


@pytest.mark.parametrize("path", [*FOLDER.glob("*.yaml"), FOLDER / "Dockerfile"], ids=lambda path: path.name)
def test_the_image_has_the_ray_that_is_installed(path: Path) -> None:
    """A laptop and its cluster must have the same; when Ray is raised, so are these files."""
    text = path.read_text(encoding="utf-8")
    images = re.findall(r"(?:rayproject/ray|/raysernas):(\S+?)(?=[\s,}]|$)", text)
    assert {*images} == ({f"{ray.__version__}-py311-gpu"} if path.stem != "on_prem" else set())
    assert {*re.findall(r"rayVersion: (\S+)", text)} <= {ray.__version__}


# --- machines


@pytest.mark.parametrize("name", CLOUDS)
def test_the_head_runs_no_trials_and_stays_while_spot_machines_come_and_go(name: str) -> None:
    head, worker = (read(name)["available_node_types"][each] for each in ("head", "gpu_spot"))
    assert head["resources"] == {"CPU": 0}
    assert worker["min_workers"] == 0 < worker["max_workers"]
    assert worker["resources"]["GPU"] == 1
    for node, spot in ((head, False), (worker, True)):
        assert bool(re.search(r"spot", json.dumps(node["node_config"]), re.IGNORECASE)) == spot


@pytest.mark.parametrize("name", CLOUDS)
def test_workers_may_write_to_the_bucket(name: str) -> None:
    config = read(name)
    for node in config["available_node_types"].values():
        machine = node["node_config"]
        assert (
            "IamInstanceProfile" in machine
            or "serviceAccounts" in machine
            or config["provider"].get("msi_name")
        )


def test_the_head_pod_runs_no_trials_and_the_job_is_retried() -> None:
    spec = kuberay()["RayJob"]["spec"]
    cluster = spec["rayClusterSpec"]
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    assert cluster["workerGroupSpecs"][0]["minReplicas"] == 0 < cluster["workerGroupSpecs"][0]["maxReplicas"]
    assert spec["backoffLimit"] > 0
    assert spec["shutdownAfterJobFinishes"]
    assert cluster["enableInTreeAutoscaling"]


@pytest.mark.parametrize("part", ["head", "worker"])
def test_a_role_may_do_nothing_beyond_its_cluster(part: str) -> None:
    """No wildcard action; everything but looking names its resource; the head hands on the worker's role
    only.
    """
    for statement in json.loads((FOLDER / f"aws_{part}_policy.json").read_text(encoding="utf-8"))[
        "Statement"
    ]:
        actions = [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
        assert not any("*" in action for action in actions)
        if part == "worker":
            assert all(action.startswith("s3:") for action in actions)
        if not all(action.startswith("ec2:Describe") for action in actions):
            assert statement["Resource"] != "*"
        if "iam:PassRole" in actions:
            assert statement["Resource"] == "arn:aws:iam::YOUR_ACCOUNT:role/raysernas-worker"
        if {"ec2:TerminateInstances", "ec2:CreateTags"} & {*actions}:
            assert statement["Condition"]


# --- closed to the world


@pytest.mark.parametrize("name", LAUNCHED)
def test_every_ray_process_asks_for_the_token_and_sends_no_statistics(name: str) -> None:
    config = read(name)
    assert len(starts(config)) == (4 if name == "on_prem" else 3)
    for command in starts(config):
        assert all(setting in command for setting in SETTINGS), command
    for command in config["head_start_ray_commands"]:
        if "ray start" in command:
            assert "--dashboard-host=127.0.0.1" in command
            assert "--disable-usage-stats" in command
            assert "--port=6379" in command
    assert any("--address=$RAY_HEAD_IP:6379" in command for command in config["worker_start_ray_commands"])
    if docker := config.get("docker"):
        assert {"-e RAY_AUTH_MODE=token", "-e RAY_USAGE_STATS_ENABLED=0"} <= {*docker["run_options"]}


@pytest.mark.parametrize("name", LAUNCHED)
def test_every_worker_watches_for_notices(name: str) -> None:
    assert any(
        "python -m raysernas.fleet.notice" in command for command in read(name)["worker_start_ray_commands"]
    )


def test_pods_ask_for_the_token_too() -> None:
    cluster = kuberay()["RayJob"]["spec"]["rayClusterSpec"]
    assert cluster["authOptions"] == {"mode": "token"}
    assert cluster["headGroupSpec"]["serviceType"] == "ClusterIP"
    assert not cluster["headGroupSpec"]["enableIngress"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        (container,) = group["template"]["spec"]["containers"]
        assert {"name": "RAY_USAGE_STATS_ENABLED", "value": "0"} in container["env"]


@pytest.mark.parametrize("path", sorted(FOLDER.iterdir()), ids=lambda path: path.name)
def test_nothing_is_open_to_everybody(path: Path) -> None:
    assert not re.search(r"\b0\.0\.0\.0|::/0", path.read_text(encoding="utf-8"))


def test_on_aws_no_machine_gets_the_group_that_ray_would_open() -> None:
    """Ray adds SSH from everywhere to every group that it makes, so all machines name one, and it has to be
    filled in.
    """
    for node in read("aws")["available_node_types"].values():
        assert node["node_config"]["SecurityGroupIds"] == ["sg-YOUR_GROUP"]
        assert node["node_config"]["MetadataOptions"]["HttpTokens"] == "required"


def test_on_google_cloud_no_machine_is_in_the_network_that_lets_everybody_in() -> None:
    for node in read("gcp")["available_node_types"].values():
        assert [each["subnetwork"].split("/")[-1] for each in node["node_config"]["networkInterfaces"]] == [
            "raysernas"
        ]


def test_on_azure_ray_finds_the_network_that_the_setup_has_closed() -> None:
    """The names under which Ray looks for a network and its subnet, and keeps the firewall that is there."""
    provider, setup = read("azure")["provider"], (FOLDER / "azure_setup.sh").read_text(encoding="utf-8")
    cluster = f"ray-{read('azure')['cluster_name']}-{provider['unique_id']}"
    assert f"--name {cluster}-vnet" in setup
    assert f"--subnet-name {cluster}-subnet --subnet-prefixes {provider['subnet_mask']}" in setup


@pytest.mark.parametrize("cidr", ["0.0.0.0/0", "128.0.0.0/1", "203.0.113.7", ""])
@pytest.mark.parametrize("script", ["aws", "gcp", "azure"])
def test_a_setup_refuses_to_open_ssh_to_everybody(script: str, cidr: str, tmp_path: Path) -> None:
    """Before it does anything: neither a tool of the cloud nor a home is there."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("sh", "dirname"):
        (tools / name).symlink_to(shutil.which(name) or name)
    names = {"aws": ["bucket"], "gcp": ["project", "bucket"], "azure": ["subscription", "account"]}[script]
    run = subprocess.run(
        ["/bin/sh", str(FOLDER / f"{script}_setup.sh"), *names, cidr],
        cwd=tmp_path,
        env={"PATH": str(tools), "HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 2, run.stderr
    assert f"SSH from {cidr}" in run.stderr
    assert list(tmp_path.iterdir()) == [tools]


def block(cidr: str) -> str:
    """The addresses that a setup would let in; "" if it refuses."""
    command = ["/bin/sh", str(FOLDER / "address.sh"), cidr]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (run.returncode, bool(run.stderr)) == ((2, True) if run.stdout == "" else (0, False))
    return run.stdout.strip()


@pytest.mark.parametrize("cidr", ["203.0.113.7/32", "203.0.113.0/24", "255.255.255.255/25"])
def test_ssh_is_opened_to_a_few_addresses(cidr: str) -> None:
    assert block(cidr) == cidr


@pytest.mark.parametrize("size", range(24))
def test_ssh_is_opened_to_a_larger_block_by_an_explicit_word_only(size: int) -> None:
    assert block(f"128.0.0.0/{size}") == ""
    assert block(f"wide:128.0.0.0/{size}") == (f"128.0.0.0/{size}" if size >= 8 else "")


@pytest.mark.parametrize(
    "cidr",
    [
        *(
            "::/0",
            "any",
            "",
            "203.0.113.7",
            "203.0.113.7/99/0",
            "203.0.113.7/33",
            "203.0.113/32",
            "1.2.3./32",
        ),
        *(
            "1.2.3.256/32",
            "1.2.3.04/32",
            "1.2.3.4/032",
            "*.2.3.4/32",
            "1.2.3.4/32 0.0.0.0/0",
            "1.2.3.4/$(id)",
        ),
        "1.2.3.4.5/32",
    ],
)
def test_what_is_no_block_of_addresses_is_refused(cidr: str) -> None:
    assert block(cidr) == ""


# --- the real runs


def test_what_runs_against_a_mocked_cloud_is_the_shipped_file_without_docker() -> None:
    config = read("aws")
    ran = patched(config)
    assert {key for key in {*config, *ran} if config.get(key) != ran.get(key)} == {"docker"}
    assert ran["docker"] == {}
    assert complaints(ran) == []
    accepted(ran)

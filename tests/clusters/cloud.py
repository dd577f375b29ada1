"""The hardware behind a mocked EC2: every instance that moto starts becomes a machine of machines.sh, and
ends with it.

    python cloud.py WORK GATEWAY BITS

Asks the server at AWS_ENDPOINT_URL once a second, until it is killed. Prints what comes and goes.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import boto3

SHELL = Path(__file__).parent / "machines.sh"


def name_of(instance: dict[str, Any]) -> str:
    """The host's name: `head-1a2b` or `gpu-spot-3c4d`, from Ray's tag and the instance's number."""
    tags = {tag["Key"]: tag["Value"] for tag in instance.get("Tags", [])}
    return f"{tags.get('ray-user-node-type', 'instance').replace('_', '-')}-{instance['InstanceId'][-4:]}"


def start(number: int, instance: dict[str, Any], work: Path, gateway: str, bits: str) -> None:
    """A machine with the private and the public address of the instance."""
    addresses = instance["PrivateIpAddress"], instance.get("PublicIpAddress", "")
    words = [str(number), name_of(instance), addresses[0], bits, gateway, addresses[1]]
    code = f'work={work} bin={Path(sys.executable).parent}; . {SHELL}; machine "$@"'
    subprocess.run(
        ["bash", "-euo", "pipefail", "-c", code, "machine", *words], check=True, start_new_session=True
    )
    print(
        "started",
        name_of(instance),
        instance["InstanceType"],
        instance.get("InstanceLifecycle", "on demand"),
        *addresses,
    )


def stop(name: str, work: Path) -> None:
    """Ends the first process of the machine, and with it all others."""
    os.kill(int((work / "run" / name).read_text()), signal.SIGKILL)
    print("ended", name)


def main(work: Path, gateway: str, bits: str) -> None:
    """Follow the mocked EC2 for ever."""
    ec2 = boto3.client("ec2")
    running: dict[str, str] = {}
    count = 0
    while True:
        reservations = ec2.describe_instances()["Reservations"]
        for instance in (each for reservation in reservations for each in reservation["Instances"]):
            number, state = instance["InstanceId"], instance["State"]["Name"]
            if state == "running" and number not in running:
                count += 1
                running[number] = name_of(instance)
                start(count, instance, work, gateway, bits)
            elif state == "terminated" and running.get(number):
                stop(running[number], work)
                running[number] = ""
        sys.stdout.flush()
        time.sleep(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])

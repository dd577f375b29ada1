"""What clusters/aws.yaml needs to run against a mocked EC2: docker off. Everything else stays as it is
(test_clusters.py).

    python -m tests.clusters.patch my_aws.yaml patched.yaml      prints each line that differs

A local moto server cannot boot machines with docker; the machines of cloud.py have this computer's Python
instead.
"""

import difflib
import sys
from pathlib import Path
from typing import Any

import yaml


def patched(config: dict[str, Any]) -> dict[str, Any]:
    """A cluster configuration for machines without docker."""
    return config | {"docker": {}}


def main(source: Path, target: Path) -> None:
    """Write the patched file, and print the patch."""
    config = yaml.safe_load(source.read_text(encoding="utf-8"))
    before, after = (yaml.safe_dump(each, sort_keys=True).splitlines() for each in (config, patched(config)))
    print("\n".join(difflib.unified_diff(before, after, source.name, target.name, n=0, lineterm="")))
    target.write_text("\n".join(after), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

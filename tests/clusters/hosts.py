"""How many trials ran on which machine, from a fetched ledger: python hosts.py RESULTS/STUDY FEWEST_MACHINES
[NAMES_BEGIN].
"""

import sys
from pathlib import Path

import pandas as pd


def main(root: str, fewest: int, begin: str = "") -> int:
    """0 when every trial finished, they ran on so many machines, and on no others than those that are named
    so.
    """
    rows = pd.concat(pd.read_parquet(path) for path in sorted(Path(root, "trials").glob("*.parquet")))
    hosts = rows["host"].value_counts().sort_index()
    print(hosts.to_string())
    print(f"{len(rows)} trials, {(rows['status'] == 'finished').sum()} finished")
    fine = (
        len(hosts) >= fewest
        and (rows["status"] == "finished").all()
        and all(str(host).startswith(begin) for host in hosts.index)
    )
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:]))

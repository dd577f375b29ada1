"""The planned trials that failed, by reason."""

from collections.abc import Iterator

import pandas as pd

from analysis.frames import planned
from analysis.loading import Results
from analysis.report import grid, links, values
from analysis.report.grid import Column
from analysis.report.markup import Child

NO_REASON = "no reason was recorded"


def contents(results: Results) -> Iterator[Child]:
    """One table; the number of trials leads to them."""

    def own(row: links.FrameRow) -> dict[str, object]:
        reason = {} if row["reason"] == NO_REASON else {"reason": row["reason"]}
        return links.conditions(results, row, arm=row["arm"], status="failed", **reason)

    columns = [
        Column("arm", "arm"),
        Column("failure", "kind"),
        Column("trials", "trials", values.count, rows=own),
        Column("reason", "reason"),
    ]
    found = planned(results.trials)
    found = _by_reason(found[found["status"] == "failed"])
    yield grid.table(results, "Failed trials by reason", found, columns, empty="no trial failed.")


def _by_reason(failed: pd.DataFrame) -> pd.DataFrame:
    if failed.empty:
        return failed
    rows = failed.assign(reason=failed["reason"].replace("", NO_REASON))
    counts = rows.groupby(["study", "arm", "failure", "reason"], dropna=False).size().rename("trials")
    return counts.reset_index().sort_values("trials", ascending=False, kind="stable")

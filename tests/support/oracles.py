"""Other people's statistics, for tests to compare ours with; their published types are wrong, and so left
out.
"""

from typing import Any

import baycomp
import scipy.stats
import statsmodels.api
import statsmodels.stats.multitest
import statsmodels.stats.weightstats

stats: Any = scipy.stats
models: Any = statsmodels.api
multipletests: Any = statsmodels.stats.multitest.multipletests
describe: Any = statsmodels.stats.weightstats.DescrStatsW
correlated: Any = baycomp.CorrelatedTTest

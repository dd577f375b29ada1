"""Studies as pandas frames: `analysis.load("results/emodb").arms`. The frames are described at `Results`."""

from analysis.loading import Results, load

__all__ = ["Results", "load"]

"""OONI's two published detectors, from their description, on hourly counts of the same votes. PURE.

Read in the public repository ooni/data: `oonipipeline/src/oonipipeline/analysis/detector.py` at 03a397b
(CUSUM on an hour's median) and `detectorV2.py` at 60e5efc (CUSUM on an hour's counts), scheduled by
`dags/pipeline.py` at 085e27e at half past each hour. Written anew from what they do; no line is theirs.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

ROUNDS_AN_HOUR = 12
# The hourly job starts half an hour after the hour it looks at; what it takes itself is not counted.
PUBLISHED_H = 0.5


@dataclass(slots=True)
class Medians:
    """`detector.py`: h = edd * v / 2 with edd = 10 and v = mu1 - mu0. A failing vote is scored 1, which is
    the most a measurement can be and so its fastest. Starts in the state OK."""

    mu0: float = 0.0
    mu1: float = 0.7
    h: float = 3.5
    blocked: bool = False
    score: float = 0.0

    def alarms(self, failing: int, votes: int) -> bool:
        """Whether this hour's votes make it say that something became blocked."""
        middle = 1.0 if 2 * failing > votes else 0.5 if 2 * failing == votes else 0.0
        away = self.mu1 - middle if self.blocked else middle - self.mu0
        self.score = max(0.0, self.score + away - (self.mu1 - self.mu0) / 2)
        if self.score <= self.h:
            return False
        self.blocked, self.score = not self.blocked, 0.0
        return self.blocked


@dataclass(slots=True)
class Counts:
    """`detectorV2.py`: the log-likelihood of independent votes that fail at p1 rather than p0."""

    p0: float = 0.05
    p1: float = 0.50
    h: float = 30.0
    blocked: bool = False
    score: float = 0.0

    def alarms(self, failing: int, votes: int) -> bool:
        """Whether this hour's votes make it say that something became blocked."""
        ratio = failing * log(self.p1 / self.p0) + (votes - failing) * log((1 - self.p1) / (1 - self.p0))
        self.score = max(0.0, self.score + (-ratio if self.blocked else ratio))
        if self.score <= self.h:
            return False
        self.blocked, self.score = not self.blocked, 0.0
        return self.blocked

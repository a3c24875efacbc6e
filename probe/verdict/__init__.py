"""PURE: the observations of one round become a verdict per platform.

`judge` is all that others need. The collector imports this package too and judges stored rounds
again, so nothing here may depend on anything but the round itself.
"""

from .engine import judge
from .gate import judge_gate
from .record import Finding, Level, Mechanism, Reason, Scope, Status, Verdict
from .speed import Compared, compared

__all__ = [
    "Compared",
    "Finding",
    "Level",
    "Mechanism",
    "Reason",
    "Scope",
    "Status",
    "Verdict",
    "compared",
    "judge",
    "judge_gate",
]

"""Every story: those that a rule must tell, by its id, others in which it speaks too, and those in which
nobody may be accused."""

from __future__ import annotations

from . import of_connections, of_names, of_speed, of_the_whole

ABOUT = (of_names, of_connections, of_speed, of_the_whole)
CASES = {rule: story for about in ABOUT for rule, story in about.CASES.items()}
INNOCENT = {title: story for about in ABOUT for title, story in about.INNOCENT.items()}
ALSO = {**of_names.ALSO, **of_connections.ALSO, **of_speed.ALSO}

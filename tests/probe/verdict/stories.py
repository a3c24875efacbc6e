"""Every story: those that a rule must tell, by its id, and those that nobody may be accused in."""

from __future__ import annotations

from . import of_connections, of_names, of_speed, of_the_whole

ABOUT = (of_names, of_connections, of_speed, of_the_whole)
CASES = {rule: story for about in ABOUT for rule, story in about.CASES.items()}
INNOCENT = {title: story for about in ABOUT for title, story in about.INNOCENT.items()}

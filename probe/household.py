"""What ``doctor`` says of this machine's own side: the answer to consent, what keeps the agent still, and the
folder it keeps everything in."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

from . import volunteer
from .config import Config
from .consent import ConsentError, Standing
from .doctor import Finding, Health
from .identity import IdentityError, Installation
from .spool import SpoolError

# What a spool may grow by, as shipped, and as much again for SQLite's journal.
LEAST_FREE_BYTES = 128 << 20


def findings(config: Config) -> Iterator[Finding]:
    """A line each."""
    yield _consent(config)
    yield _quiet(config)
    yield _folder(config)


def _consent(config: Config) -> Finding:
    try:
        standing, said = volunteer.standing_of(config), volunteer.in_one_line(config)
    except ConsentError as error:
        return Finding("consent", Health.FAIL, f"{error}; answer again: `reachwatch-probe consent`")
    return Finding("consent", Health.OK if standing is Standing.GIVEN else Health.NOTE, said)


def _quiet(config: Config) -> Finding:
    why = volunteer.why_quiet(config)
    if not why:
        return Finding("at work", Health.OK, "neither paused nor beyond its budget")
    advice = "`reachwatch-probe resume`, or wait, or raise [budget] or shorten metered_interfaces"
    return Finding("at work", Health.NOTE, f"keeps still: {why}; {advice}")


def _folder(config: Config) -> Finding:
    folder = config.state_path
    try:
        Installation.load_or_create(folder)
        with volunteer.opened(config):
            free_bytes = shutil.disk_usage(folder).free
    except (IdentityError, SpoolError) as error:
        return Finding("state folder", Health.FAIL, f"{error}; make it this user's own, or set state_dir")
    except OSError as error:
        return Finding("state folder", Health.FAIL, f"{folder}: {error.strerror}; set state_dir")
    if not os.access(folder, os.W_OK):
        return Finding("state folder", Health.FAIL, f"{folder}: read-only; rounds cannot be kept there")
    if free_bytes < LEAST_FREE_BYTES:
        left = f"{free_bytes >> 20} MiB are left; rounds that wait need up to {LEAST_FREE_BYTES >> 20}"
        return Finding("state folder", Health.FAIL, f"{folder}: {left}; make room, or set spool.max_bytes")
    return Finding("state folder", Health.OK, f"{folder}, {free_bytes >> 20} MiB free")

"""The JSON API behind the page: the state now, of every country or of one.

``GET /api/v1/state`` and ``GET /api/v1/state/{country}``. Keys are stable; times are RFC 3339 in
UTC; a ratio is null where nobody voted, never 1.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from collector.snapshot import Snapshot, Tally
from probe.wire.codec import rfc3339

_COUNTRY = re.compile(r"[A-Z]{2}")


def routes(current: Callable[[], Snapshot]) -> list[web.RouteDef]:
    """The API's routes."""

    async def state(_request: web.Request) -> web.Response:
        return _answer(describe(current()))

    async def one(request: web.Request) -> web.Response:
        country = request.match_info["country"]
        if not _COUNTRY.fullmatch(country):
            return _answer({"error": "a country is two capital letters (ISO 3166-1)"}, status=400)
        whole = describe(current())
        if country not in whole["countries"]:
            return _answer({"error": f"no probe in {country} has reported within the window"}, status=404)
        return _answer({**whole, "countries": {country: whole["countries"][country]}})

    return [web.get("/api/v1/state", state), web.get("/api/v1/state/{country}", one)]


def describe(snapshot: Snapshot) -> dict[str, Any]:
    """The snapshot as the API says it."""
    places = sorted({country for country, _ in snapshot.countries} | set(snapshot.probes))
    return {
        "at": _time(snapshot.at),
        "window_s": snapshot.window_s,
        "countries": {place: _country(snapshot, place) for place in places},
    }


def _country(snapshot: Snapshot, country: str) -> dict[str, Any]:
    return {
        "probes": snapshot.probes.get(country, 0),
        "platforms": {p: _tally(snapshot.countries.get((country, p), Tally())) for p in snapshot.platforms},
        "networks": {
            str(asn): {
                p: _tally(t) for (c, a, p), t in sorted(snapshot.networks.items()) if (c, a) == (country, asn)
            }
            for asn in sorted({a for c, a, _ in snapshot.networks if c == country})
        },
    }


def _tally(tally: Tally) -> dict[str, Any]:
    return {
        "votes": tally.votes,
        "failing": tally.failing,
        "ratio": tally.ratio,
        "statuses": dict(tally.statuses),
        "mechanisms": dict(tally.mechanisms),
        "stages": {stage: {"succeeded": good, "failed": bad} for stage, (good, bad) in tally.stages.items()},
        "newest_at": _time(tally.newest_at) if tally.newest_at is not None else None,
    }


def _time(at: float) -> str:
    return rfc3339(datetime.fromtimestamp(at, UTC))


def _answer(value: dict[str, Any], status: int = 200) -> web.Response:
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return web.json_response(value, status=status, headers=headers)

"""The JSON API behind the page: the state now, of every country or of one.

``GET /api/v1/state`` and ``GET /api/v1/state/{country}``. Keys are stable; times are RFC 3339 in
UTC; a ratio is null where nobody voted, never 1.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Collection
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

from aiohttp import web

from collector.snapshot import Snapshot, Tally
from probe.wire.codec import rfc3339

from .sources import Sources

_COUNTRY = re.compile(r"[A-Z]{2}")


def routes(sources: Sources) -> list[web.RouteDef]:
    """The API's routes. Networks of too few prefixes (`display.min_prefixes`) are left out: a number on
    so few says something about somebody's home."""

    current, min_prefixes = sources.snapshot, sources.display.min_prefixes
    held: tuple[Snapshot, bytes] | None = None

    async def state(_request: web.Request) -> web.Response:
        # Once a snapshot and in a thread: with many networks it takes long enough to hold up a receipt.
        nonlocal held
        snapshot = current()
        if held is None or held[0] is not snapshot:
            held = snapshot, await asyncio.to_thread(_encoded, snapshot, min_prefixes)
        return _answer(held[1])

    async def one(request: web.Request) -> web.Response:
        country = request.match_info["country"]
        if not _COUNTRY.fullmatch(country):
            return _refused("a country is two capital letters (ISO 3166-1)", 400)
        snapshot = current()
        if country not in _heard_from(snapshot):
            return _refused(f"no probe in {country} has reported within the window", 404)
        return _answer(await asyncio.to_thread(_encoded, snapshot, min_prefixes, {country}))

    return [web.get("/api/v1/state", state), web.get("/api/v1/state/{country}", one)]


def describe(snapshot: Snapshot, min_prefixes: int, only: Collection[str] | None = None) -> dict[str, Any]:
    """The snapshot as the API says it, of `only` these countries where given."""
    places = _heard_from(snapshot) if only is None else only
    networks = _networks(snapshot, places, min_prefixes)
    return {
        "at": _time(snapshot.at),
        "window_s": snapshot.window_s,
        "countries": {
            place: {
                "probes": snapshot.probes.get(place, 0),
                "platforms": _platforms(snapshot, place),
                "networks": networks[place],
            }
            for place in sorted(places)
        },
    }


def _heard_from(snapshot: Snapshot) -> set[str]:
    return {country for country, _ in snapshot.countries} | set(snapshot.probes)


def _platforms(snapshot: Snapshot, country: str) -> dict[str, Any]:
    return {p: _tally(snapshot.countries.get((country, p), Tally())) for p in snapshot.platforms}


def _networks(
    snapshot: Snapshot, places: Collection[str], min_prefixes: int
) -> dict[str, dict[str, dict[str, Any]]]:
    """By country and ASN, in one pass: looking once per network would make anybody's GET quadratic."""
    large = {(c, asn) for (c, asn, _), tally in snapshot.networks.items() if tally.votes >= min_prefixes}
    found: dict[str, dict[str, dict[str, Any]]] = {place: {} for place in places}
    for (country, asn, platform), tally in sorted(snapshot.networks.items(), key=itemgetter(0)):
        if country in found and (country, asn) in large:
            found[country].setdefault(str(asn), {})[platform] = _tally(tally)
    return found


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


def _encoded(snapshot: Snapshot, min_prefixes: int, only: Collection[str] | None = None) -> bytes:
    return json.dumps(describe(snapshot, min_prefixes, only)).encode()


def _refused(why: str, status: int) -> web.Response:
    return _answer(json.dumps({"error": why}).encode(), status)


def _answer(body: bytes, status: int = 200) -> web.Response:
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return web.Response(body=body, status=status, content_type="application/json", headers=headers)

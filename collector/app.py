"""The only wiring: store, ingest, snapshot, page and metrics become one running server.

Two listeners: one faces agents and readers, one faces Prometheus. Stopping goes in order: accept
nothing new, answer what was accepted, commit, close.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from aiohttp import web

from probe.wire.exchange import PeerView
from probe.wire.settings import ConfigError
from probe.wire.version import __version__

from . import metrics as metrics_routes
from . import web as pages
from .accepting import Crowds, most_connections
from .admin import local
from .alerts.webhooks import Courier, open_hooks
from .beside import Gone
from .certificate import Certificate, opened_where_set
from .config import Config
from .detect.cells import Cell, CellKey
from .detect.figures import figures_of
from .detect.quarantine import by_subject
from .detect.thresholds import Thresholds
from .detect.words import Voice
from .evidence import bundle
from .forwarded import Proxies
from .ingest.commit import Committer
from .ingest.docket import Docket
from .ingest.handler import Intake
from .ingest.netinfo import open_netinfo
from .ingest.porter import Porter
from .ingest.prefix import Tagger
from .language import words
from .listening import hear, listen, runner_of, sources_of
from .log import for_http
from .lookout import Lookout
from .metrics import Metrics
from .rounds import measured
from .snapshot import PRESENCE_S, Snapshot, Window
from .store import open_store
from .store.base import Ingest, Seen, Stored, StoreError, StoreFigures
from .targets.offer import Offer
from .web.sources import Sources

log = logging.getLogger("reachwatch.collector")

SNAPSHOT_S = 2.0
EXPIRE_S = 3600.0
DETECT_S = 2.0
DELIVER_S = 1.0
LOOK_S = 10.0
CERTIFICATE_S = 5.0
PRESENCE_DAYS = 5.0  # as far back as detection ever goes: three days, to a state at most one older
STALE_S = 30.0  # a snapshot older than this is not news
MOST_SCRAPERS = 64  # connections to the metrics
DAY_S = 86_400.0


@dataclass
class Service:
    """One collector: its parts and what the listeners serve."""

    config: Config
    committer: Committer
    intake: Intake
    metrics: Metrics
    wall: Callable[[], float]
    snapshot: Snapshot
    detector: Lookout
    courier: Courier
    window: Window
    certificate: Certificate | None = None
    _began: bool = False
    _came: list[Mapping[CellKey, Cell]] = field(default_factory=list)
    _heard: list[Seen] = field(default_factory=list)
    _peers: dict[str, tuple[PeerView, ...]] = field(default_factory=dict)

    def sources(self) -> Sources:
        """What pages and API are made of."""
        store, call = self.committer.store, self.committer.call
        return Sources(
            snapshot=lambda: self.snapshot,
            findings=lambda: self.detector.findings,
            published=lambda: self.detector.published,
            revisions=lambda incident: call(store.revisions, incident),
            chronicle=lambda country, first, last: call(store.chronicle, country, first, last),
            evidence=self._evidence,
            rounds=lambda wanted: measured(self.committer, wanted),
            limits=self.detector.limits,
            voice=self.courier.voice,
            display=self.config.display,
            api=self.config.api,
            wall=self.wall,
        )

    async def _evidence(self, incident: str) -> bytes:
        setting, head = await self.detector.setting(), self.detector.findings.state.number
        return await bundle(self.committer, setting, head, incident, self.config.display.min_prefixes)

    def peers(self, country: str) -> tuple[PeerView, ...]:
        """What probes in other countries see, for receipts."""
        if country not in self._peers:
            self._peers[country] = self.snapshot.peers(country)
        return self._peers[country]

    async def refresh(self) -> None:
        """Take a new snapshot from the store."""
        store, now, window_s = self.committer.store, self.wall(), self.config.display.window_s
        held, figures = await self.committer.call(lambda: (store.quarantines(), store.figures()))
        orders = self.intake.orders = by_subject(held)
        if orders != self.window.orders or now < self.snapshot.at or not self._began:
            # Clocks may be ahead by as much as is admitted, so the newest minute is not now's.
            first, last = int((now - window_s) // 60), int((now + window_s) // 60) + 10
            self._came = [await self.committer.call(store.cells, first, last)]
            # What was committed until that look is in it; what is committed from here on is not.
            self.window = Window(window_s, self.config.platforms, orders)
            self.window.hear(await self.committer.call(store.seen, now - PRESENCE_S))
            self._began = True
        came, self._came = self._came, []
        heard, self._heard = self._heard, []
        # In a thread: counting thousands of homes takes long enough to hold up a receipt.
        self.snapshot = await asyncio.to_thread(self._look, came, heard, now, figures)
        self._peers = {}
        with suppress(OSError):  # what a health check reads is the file's age
            (self.config.data_path / "alive").touch()
        display = self.config.display
        self.metrics.snapshot(
            self.snapshot, min_prefixes=display.min_prefixes, max_networks=display.max_networks
        )

    def _look(
        self, came: Sequence[Mapping[CellKey, Cell]], heard: Sequence[Seen], now: float, figures: StoreFigures
    ) -> Snapshot:
        for cells in came:
            self.window.add(cells.items(), now)
        self.window.hear(heard)
        return self.window.snapshot(now, figures)

    def committed(self, items: Sequence[Ingest], answers: Sequence[Stored]) -> None:
        """Tell detection and the next snapshot what was stored."""
        self.detector.committed(items, answers)
        self._came += [i.cells for i, answer in zip(items, answers, strict=True) if answer is Stored.NEW]

    def heard(self, heartbeats: Sequence[Seen]) -> None:
        """Tell them of heartbeats that were stored."""
        self.detector.heard(heartbeats)
        self._heard += heartbeats

    async def detect(self) -> None:
        """Run the detector, and let `/metrics` say what it found, if it found anything new."""
        before = self.detector.findings
        await self.detector.detect()
        found = self.detector.findings
        if found is not before:
            figures = figures_of(
                found.state, found.book, self.detector.confirmed, until=found.until, took_s=found.took_s
            )
            self.metrics.detected(figures)

    async def look_at_certificate(self) -> None:
        """Take a renewed one."""
        if self.certificate is not None:
            await asyncio.to_thread(self.certificate.look)
            self.metrics.certificate(self.certificate.not_after, is_current=self.certificate.is_current)

    async def expire(self) -> None:
        """Drop what retention says may go."""
        now, keep = self.wall(), self.config.retention
        cells_before = now - keep.cells_days * DAY_S
        rounds_before = int(cells_before // self.detector.limits.round_s)
        dropped = await self.committer.call(
            self.committer.store.expire, now - keep.batches_days * DAY_S, cells_before, rounds_before
        )
        # Without its cells no evidence can be made of an incident any more.
        told = [one.incident for one in self.detector.published.values()]
        over = [one.id for one in told if one.ended is not None and one.ended < rounds_before]
        await self.committer.call(self.committer.store.unground, over)
        await self.committer.call(self.committer.store.forget, now - PRESENCE_DAYS * DAY_S)
        if dropped:
            log.info("expired batches=%d", dropped)

    async def look(self) -> None:
        """Offer the list of targets that lies there now."""
        await asyncio.to_thread(self.intake.offer.look)

    async def end(self) -> None:
        """Be done with the store, and with the processes beside this one."""
        await self.detector.end()
        self.committer.close()

    def main_app(self) -> web.Application:
        """What agents and readers reach."""
        proxies = self.config.proxies
        app = web.Application(
            middlewares=[sources_of(proxies, self.intake.refused)] if proxies.trusted else []
        )
        app.add_routes(self.intake.routes())
        pages.install(app, self.sources())
        app.add_routes([web.get("/healthz", self._healthz), web.get("/readyz", self._readyz)])
        return app

    def admin_app(self) -> web.Application:
        """What this machine's operator reaches."""
        config = self.config
        return local.Ear(
            self.committer,
            config.data_path,
            config.retention,
            self.detector.limits.round_s,
            [hook.webhook.name for hook in self.courier.hooks],
            self.wall,
            self.detector.ordered,
        ).app()

    def metrics_app(self) -> web.Application:
        """What Prometheus reaches."""
        app = web.Application()
        app.add_routes(metrics_routes.routes(self.metrics))
        return app

    async def _healthz(self, _request: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def _readyz(self, _request: web.Request) -> web.Response:
        """Ready while snapshots come: they come through the store's own thread."""
        age_s = self.wall() - self.snapshot.at
        if age_s > STALE_S:
            return web.Response(status=503, text=f"the last look at the store is {age_s:.0f} s old\n")
        return web.Response(text="ready\n")


def build(config: Config, wall: Callable[[], float] = time.time) -> Service:
    """Open everything; raises `ConfigError` or `StoreError`."""
    netinfo = open_netinfo(config.geo)
    certificate = opened_where_set(config.tls)
    hooks = open_hooks(config.webhooks)
    metrics = Metrics(__version__, config.platforms, wall)
    store = open_store(f"sqlite://{config.data_path}")
    try:
        tagger = Tagger(config.prefix_key_path, wall)
    except ConfigError:
        store.close()
        raise
    committer = Committer(store, metrics, wall)
    window = Window(config.display.window_s, config.platforms)
    intake = Intake(
        committer=committer,
        docket=Docket(),
        keys=dict(store.keys()),
        netinfo=netinfo,
        tagger=tagger,
        metrics=metrics,
        wall=wall,
        platforms=frozenset(config.platforms),
        peers=lambda country: service.peers(country),
        offer=Offer(config.targets_path),
        porter=Porter(config.enrolment, wall),
        orders=by_subject(store.quarantines()),
    )
    limits = Thresholds(round_s=config.detection.round_s)
    mobile = frozenset(config.mobile_networks)
    detector = Lookout(committer, config.data_path, limits, wall, shares=config.shares, mobile=mobile)
    voice = Voice(
        words=words(config.display.language),
        limits=limits,
        min_prefixes=config.display.min_prefixes,
        public_url=config.display.public_url.rstrip("/"),
    )
    courier = Courier(committer, hooks, voice, metrics, wall, random.SystemRandom())
    empty = window.snapshot(wall())
    service = Service(config, committer, intake, metrics, wall, empty, detector, courier, window, certificate)
    committer.committed, committer.heard = service.committed, service.heard
    return service


async def serve(
    config: Config,
    stop: asyncio.Event,
    listening: Callable[[str, str], None],
    wall: Callable[[], float] = time.time,
) -> None:
    """Run until `stop` is set. `listening` is told both addresses once they are bound. `wall` is the
    clock that receipts, admission and the page go by: Unix seconds."""
    service = build(config, wall)
    http_log = for_http(service.metrics.unreadable)
    apps = (service.main_app(), service.metrics_app(), service.admin_app())
    runners = [runner_of(app, http_log) for app in apps]
    try:
        await service.refresh()
        await service.detector.start()
        await hear(runners[2], config.data_path)
        certificate = service.certificate
        crowds = Crowds(most_connections(), config.proxies, service.metrics.turned_away)
        main = await listen(runners[0], config.listen, crowds, certificate.context if certificate else None)
        scrapers = Crowds(MOST_SCRAPERS, Proxies(), service.metrics.turned_away)
        listening(main, await listen(runners[1], config.metrics_listen, scrapers))
        await _work(service, stop, runners)
    finally:
        for runner in runners:
            await runner.cleanup()
        local.forget(config.data_path)
        await service.end()


async def _work(service: Service, stop: asyncio.Event, runners: Sequence[web.AppRunner]) -> None:
    courier = service.courier
    async with courier.opened(), asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(service.intake.docket.run()),
            group.create_task(service.committer.run()),
            group.create_task(_repeat(service.refresh, SNAPSHOT_S)),
            group.create_task(_repeat(service.expire, EXPIRE_S)),
            group.create_task(_repeat(service.look, LOOK_S)),
            group.create_task(_repeat(service.look_at_certificate, CERTIFICATE_S)),
            group.create_task(_repeat(service.detect, DETECT_S)),
            *(group.create_task(_repeat(partial(courier.deliver, h), DELIVER_S)) for h in courier.hooks),
        ]
        await stop.wait()
        for runner in runners:  # accepts nothing new, and waits for what is in progress
            await runner.cleanup()
        await service.committer.finish()
        for task in tasks:
            task.cancel()
    log.info("stopped")


async def _repeat(
    work: Callable[[], Awaitable[None]], every_s: float, clock: Callable[[], float] = time.monotonic
) -> None:
    """Every so often, with a pause of a quarter of that where the work takes longer. What fails is said
    once on breaking and once on recovery."""
    broken = ""
    while True:
        began = clock()
        try:
            await work()
            if broken:
                log.info("%s_recovered", broken)
            broken = ""
        except (StoreError, Gone) as error:
            what = "store" if isinstance(error, StoreError) else "detector"
            if broken != what:
                log.error("%s_failed error=%s", what, error)
            broken = what
        await asyncio.sleep(max(every_s / 4, every_s - (clock() - began)))

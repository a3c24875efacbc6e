"""The questions a failed endpoint raises, in an order that keeps one from spoiling the next.

1. An unrelated site, so that a line that is dying is seen to.
2. What failed for want of time once more, one address of it and little else on the line: where it
   comes now, the line was crowded or slow, and that is a question for `throughput`.
3. The name again, from everybody who can be asked, listening on for a second answer; and on its
   addresses (one of those that came to the same end) *first* an innocuous name and *then* the
   platform's: many censors go on blocking the pair of addresses for a while after a forbidden name,
   and what comes after it fails whatever its name. An address not tried before comes with them.
4. Where even the innocuous name failed, that while is waited out, and both are tried once more.
5. Where that proved nothing, the platform's name at an unrelated site's address, after an innocuous
   one, because many a server ends a connection for any name not its own; at one site's alone, because
   that address may stay blocked, and the gate after needs the others.
6. Where on the way it breaks, and by whose packets; a platform's one endpoint tells it for all.
7. The unrelated site again.

A first attempt that failed and a second that did not are told apart by a third.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from . import endpoint
from .capture import packets
from .locate import PathLimits, locate_hello, locate_syn
from .path import reach
from .plan import Plan, Target, a_few_at_once
from .stages import dns
from .stages.line import Line, Turn
from .verdict.evidence import LATE, EndpointEvidence
from .verdict.gate import FOREIGN
from .verdict.walk import Walk, by_address
from .wire.address import is_bogon
from .wire.failure import FOREIGN_CERTIFICATE, Failure
from .wire.observation import Observation, Phase, Purpose
from .wire.platform import Endpoint
from .wire.scrub import is_private
from .wire.stage import Resolver, Stage

# Between an endpoint's attempts, in seconds: longer than a lost packet takes to be sent again.
PAUSE_S = 1.0
# No stage of a repetition waits longer than this: four seconds see three SYNs (RFC 6298).
PATIENCE_S = 4.0
# Platforms whose name is shown to an unrelated site in one round, and how often each.
ELSEWHERE, ELSEWHERE_TRIES = 2, 2
# What breaks a connection stands in the provider's network or at its border: within so many hops.
WAY = PathLimits(most_ttl=15, total_s=5.0)


async def escalate(
    plan: Plan, line: Line, seen: Sequence[Observation], failed: Sequence[Target], families: Sequence[int]
) -> None:
    """Ask what can be asked about the endpoints that failed."""
    await _Inquiry(plan, _hurried(line), seen, families).run(failed)


def _hurried(line: Line) -> Line:
    whole = line.timeouts
    return replace(
        line,
        timeouts=replace(
            whole,
            tcp_s=min(whole.tcp_s, PATIENCE_S),
            tls_s=min(whole.tls_s, PATIENCE_S),
            http_s=min(whole.http_s, PATIENCE_S),
        ),
    )


@dataclass(frozen=True, slots=True)
class _Inquiry:
    """One escalation on one line; `seen` grows while it runs."""

    plan: Plan
    line: Line
    seen: Sequence[Observation]
    families: Sequence[int]

    async def run(self, failed: Sequence[Target]) -> None:
        """The questions, in order."""
        await self._control()
        await self.plan.pause(PAUSE_S)
        late = [target for target in failed if self._evidence(target).is_late]
        await self._all(late, self._quietly)
        failed = [target for target in failed if target not in late or self._is_cut(target)]
        provider: Sequence[str] = ()
        if any(self._is_doubtful(self._evidence(target)) for target in failed):
            provider = await self._provider()
            await self._unrelated_name(provider)
        await self._all(failed, lambda target: self._again(target, provider, self._addresses))
        open_ones = [target for target in failed if self._open(target)]
        if open_ones:
            cut = any(map(self._unexplained, open_ones))
            await self.plan.pause(self.plan.config.residual_s if cut else PAUSE_S)
            await self._all(open_ones, lambda target: self._again(target, provider, self._open))
        await self._elsewhere([target for target in failed if self._unexplained(target)])
        await self._on_the_way(failed)
        await self._control()

    async def _all(self, targets: Iterable[Target], ask: Callable[[Target], Awaitable[None]]) -> None:
        await a_few_at_once(self.plan.config.concurrency, targets, ask)

    def _evidence(self, target: Target) -> EndpointEvidence:
        return target.evidence(self.seen)

    async def _quietly(self, target: Target) -> None:
        """One address that failed for want of time, once more."""
        tried = self._tried(target)
        late = next(a for a, walks in tried.items() if walks[0].broken and walks[0].broken.failure in LATE)
        await reach(self._next_turn(target), late)

    def _tried(self, target: Target) -> dict[str, list[Walk]]:
        """What came of each address tried, those first that the trusted resolver gave."""
        evidence = self._evidence(target)
        trusted = evidence.addresses(Resolver.DOH)
        tried = by_address(evidence.walks)
        return {address: tried[address] for address in sorted(tried, key=lambda one: one not in trusted)}

    def _is_cut(self, target: Target) -> bool:
        """Whether it failed then, too, with nothing coming."""
        last = self._evidence(target).walks[-1]
        return last.broken is not None and not last.trickled

    def _next_turn(self, target: Target) -> Turn:
        """The endpoint's turn once more, under the number that comes next."""
        return target.turn(self.line, 1 + max(o.attempt for o in self._evidence(target).observations))

    async def _again(
        self, target: Target, provider: Sequence[str], addresses: Callable[[Target], Sequence[str]]
    ) -> None:
        """The endpoint once more: its name, if that may be a lie, and those addresses, each first under
        an innocuous name if a name may be why."""
        before, turn = self._evidence(target), self._next_turn(target)
        if self._is_doubtful(before):
            resolvers = (*self.plan.resolvers, *self.plan.witnesses(provider))
            linger_s = self.plan.config.resolvers.linger_s
            await endpoint.lookups(turn, resolvers, self.families, linger_s=linger_s)
        tried = by_address(before.walks)
        async with asyncio.TaskGroup() as group:
            for address in addresses(target):
                # Of an address not tried yet no more is expected than came of the others.
                walks = tried.get(address, before.walks)
                group.create_task(self._both_names(turn, address, walks))

    def _is_doubtful(self, evidence: EndpointEvidence) -> bool:
        """Whether the name may have been lied about: no usable answer, or one that leads elsewhere."""
        asked = [o for o in evidence.observations if o.dns and o.dns.resolver is Resolver.SYSTEM]
        if any(self._is_no_answer(o) for o in asked):
            return True
        trusted = evidence.addresses(Resolver.DOH)
        theirs = [walk for walk in evidence.walks if walk.address not in trusted]
        if any(_is_foreign(walk) for walk in theirs):
            return True
        # Where the trusted resolver's addresses break alike, it is not the name's answer that is wrong.
        others = [walk for walk in evidence.walks if walk.address in trusted]
        return any(walk.broken for walk in theirs) and not (others and all(walk.broken for walk in others))

    def _is_no_answer(self, lookup: Observation) -> bool:
        """Whether a lookup brought nothing usable, of the family every name has an address of. Of the
        other, only what no honest resolver says counts: many names have none, and many never answer."""
        lies = (Failure.DNS_BOGON, Failure.DNS_NXDOMAIN)
        every = lookup.family == self.families[0] and lookup.failure not in (None, Failure.NO_ROUTE)
        return every or lookup.failure in lies

    def _addresses(self, target: Target) -> list[str]:
        """Of those that were tried, what can agree with itself, and one more of each family."""
        evidence, tried = self._evidence(target), self._tried(target)
        # Handshakes cost bytes: of those that came to the same end, one speaks for the others, of the
        # addresses the trusted resolver gave if one is. What does not even connect costs nothing.
        ends: dict[object, str] = {}
        for address, (walk, *_) in tried.items():
            end = walk.broken and (walk.broken.stage, walk.broken.failure)
            ends.setdefault((walk.family, end) if walk.passed(Stage.TCP) else address, address)
        fresh = [a for a in endpoint.choose(evidence.observations, self.families, 8) if a not in tried]
        extra = [next((a for a in fresh if (":" in a) == (family == 6)), None) for family in self.families]
        return [*ends.values(), *(address for address in extra if address)]

    async def _both_names(self, turn: Turn, address: str, before: Sequence[Walk]) -> None:
        if any(map(_may_be_the_name, before)) or not before:
            await reach(self.plan.innocuous(turn), address)
        await reach(turn, address)

    def _open(self, target: Target) -> list[str]:
        """The addresses that two attempts did not settle: they disagree, or a failure has no
        explanation."""
        walks = by_address(self._evidence(target).walks)
        unexplained = self._unexplained(target)
        return [
            address
            for address, tries in walks.items()
            if address in unexplained or {bool(walk.broken) for walk in tries} == {True, False}
        ]

    def _unexplained(self, target: Target) -> set[str]:
        """The addresses on which the platform's name failed after TCP, again, and no innocuous one got
        further."""
        evidence = self._evidence(target)
        others = by_address(evidence.innocuous)
        return {
            address
            for address, walks in by_address(evidence.walks).items()
            if len(walks) > 1
            and any(
                walk.broken
                and _may_be_the_name(walk)
                and not any(_further(other, walk) for other in others.get(address, ()))
                for walk in walks
            )
        }

    async def _provider(self) -> Sequence[str]:
        """The provider's own resolvers: those configured, or, where the line's is of this home, the
        one found by asking who asks. Found ones are used and never recorded: it may be the
        volunteer's own that is found."""
        config = self.plan.config.resolvers
        if config.provider or not all(map(is_private, self.plan.system.servers)):
            return config.provider
        quiet = replace(self.line, record=lambda _: None)
        found = await dns.resolve(
            Turn(quiet, "whoami", Endpoint(url=f"https://{config.whoami}/")), self.plan.system, "A"
        )
        answers = found.dns.answers if found.dns and found.failure is None else ()
        return [address for address in answers if not is_bogon(address)][:2]

    async def _unrelated_name(self, provider: Sequence[str]) -> None:
        """An unrelated name from the same witnesses: a proxy for every name is no lie, and only a
        resolver that answers this home at all can be called silent."""
        control = Endpoint(url=self.plan.config.controls.foreign[0])
        turn = Turn(self.line, f"{FOREIGN}/{control.host}", control, purpose=Purpose.CONTROL)
        await endpoint.lookups(turn, self.plan.witnesses(provider), self.families[:1])

    async def _control(self) -> bool:
        """An unrelated site under its own name, at an address where it answered before."""
        where = self._open_control()
        if where is None:
            return False
        control, address = where
        turn = Turn(self.line, f"{FOREIGN}/{control.host}", control, purpose=Purpose.CONTROL)
        walk = await reach(turn, address)
        return walk[-1].failure is None

    def _open_control(self) -> tuple[Endpoint, str] | None:
        """The last of the controls that passed, with its address of the family that the others have
        too (IPv4, where there is any): always the same one."""
        urls = {Endpoint(url=url).host: Endpoint(url=url) for url in self.plan.config.controls.foreign}
        passed = [
            (urls[o.host], o.address)
            for o in self.seen
            if o.phase is Phase.BEFORE
            and o.stage is Stage.HTTP
            and o.failure is None
            and o.host in urls
            and o.family == self.families[0]
            and o.address
        ]
        return passed[-1] if passed else None

    async def _elsewhere(self, unexplained: Iterable[Target]) -> None:
        """The platform's name where nobody runs the platform."""
        one_each = {target.platform.name: target for target in unexplained if target.endpoint.is_tls}
        for target in list(one_each.values())[:ELSEWHERE]:
            where = self._open_control()
            if where is None or not await self._control():
                return
            await reach(self.plan.innocuous(target.turn(self.line, 1)), where[1])
            for attempt in range(1, ELSEWHERE_TRIES + 1):
                await reach(target.turn(self.line, attempt, Purpose.ELSEWHERE), where[1])

    async def _on_the_way(self, failed: Iterable[Target]) -> None:
        """Where it breaks, or somebody else answers, for one endpoint of each platform that fails at
        TCP or in the handshake."""
        asked: dict[tuple[str, Stage], tuple[Target, Walk]] = {}
        for target in failed:
            # What was tried most often comes first: of each stage only the first that broke there is asked.
            for walks in sorted(by_address(self._evidence(target).walks).values(), key=len, reverse=True):
                for walk in walks:
                    if walk.broken and walk.broken.stage in (Stage.TCP, Stage.TLS) and not walk.trickled:
                        asked.setdefault((target.platform.name, walk.broken.stage), (target, walk))
        async with asyncio.TaskGroup() as group:
            for target, walk in asked.values():
                group.create_task(self._where(target.turn(self.line, walk.attempt), walk))

    async def _where(self, turn: Turn, walk: Walk) -> None:
        if walk.failure(Stage.TCP):
            await locate_syn(turn, walk.address, WAY)
            return
        await locate_hello(turn, walk.address, WAY)
        if walk.failure(Stage.TLS) is Failure.TLS_RESET:
            await packets(turn, walk.address)


def _is_foreign(walk: Walk) -> bool:
    return walk.failure(Stage.TLS) in FOREIGN_CERTIFICATE


def _may_be_the_name(walk: Walk) -> bool:
    """Whether a walk got as far as showing the name, and met nobody else: somebody else's certificate
    is explained by itself."""
    return walk.passed(Stage.TCP) and not _is_foreign(walk)


def _further(other: Walk, walk: Walk) -> bool:
    """Whether another walk got past the stage at which this one broke."""
    broken = walk.broken
    alerted = other.failure(Stage.TLS) is Failure.TLS_HANDSHAKE
    return broken is not None and (other.passed(broken.stage) or alerted)

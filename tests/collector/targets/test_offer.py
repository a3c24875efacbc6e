"""A signed list from the machine with the key, over a collector, to what an agent measures."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from collector.cli import main
from collector.config import Config
from collector.targets.offer import NoTargets, Offer, Offered, read
from probe.targets import Targets
from probe.wire.codec import encode
from probe.wire.observation import Round
from probe.wire.targets import SignedTargets, TargetList, signed
from tests.collector.conftest import collecting
from tests.collector.test_agent import a_spool, an_agent, until
from tests.line import X, a_line
from tests.probe.wire.test_targets import KEY, SHIPPED, STRANGERS, by_a_thief, listing, raw

PLATFORMS = Path(__file__).parents[3] / "configs" / "platforms"


def run(*argv: object) -> int:
    return main(["targets", *map(str, argv)])


def test_a_key_is_made_a_list_signed_with_it_and_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key, out = tmp_path / "signing.key", tmp_path / "targets.json"
    assert run("key", key) == 0
    public = base64.b64decode(capsys.readouterr().out)
    assert key.stat().st_mode & 0o777 == 0o600
    assert run("sign", "--key", key, "--version", 3, "--out", out, *sorted(PLATFORMS.iterdir())) == 0
    pinned = Targets(tmp_path / "held.json", [base64.b64encode(public).decode()], time.time)
    assert pinned.take(read(out).signed)
    assert pinned.version == 3
    capsys.readouterr()
    assert run("show", out) == 0
    shown = capsys.readouterr().out
    assert "version 3" in shown
    assert "https://x.com/robots.txt" in shown


BAD: dict[str, tuple[Sequence[object], str]] = {
    "no key": (("--key", "none.key", "--version", 1), "none.key: No such file"),
    "half a key": (("--key", "half.key", "--version", 1), "half.key: 5 bytes where a key has 32"),
    "for ever": (("--key", "good.key", "--version", 1, "--days", 4000), "--days: from 1 to 400"),
    "no version": (("--key", "good.key", "--version", 0), "--version: from 1 on"),
    "three keys": (("--key", "good.key", "--key", "good.key", "--key", "good.key", "--version", 1), "two at"),
}


@pytest.mark.parametrize("story", BAD)
def test_what_cannot_be_signed_is_said_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], story: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("half.key").write_bytes(b"short")
    Path("good.key").write_bytes(KEY.private_bytes_raw())
    flags, said = BAD[story]
    assert run("sign", *flags, "--out", "targets.json", PLATFORMS / "x.toml") == 2
    err = capsys.readouterr().err
    assert said in err
    assert len(err.splitlines()) == 1
    assert not Path("targets.json").exists()


def test_a_key_is_never_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "signing.key").write_bytes(b"the one that agents pin")
    assert run("key", tmp_path / "signing.key") == 2
    assert "File exists" in capsys.readouterr().err


def test_a_stranger_is_not_signed_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "good.key").write_bytes(KEY.private_bytes_raw())
    (tmp_path / "x.toml").write_text(
        'name = "x"\ntitle = "X"\nhosts = ["victim.example"]\n'
        '[[role]]\nname = "web"\nurls = ["https://victim.example/"]\n'
    )
    argv = ("sign", "--key", tmp_path / "good.key", "--version", 1, "--out", tmp_path / "out.json")
    assert run(*argv, tmp_path / "x.toml") == 2
    assert "victim.example is not x's own" in capsys.readouterr().err


def test_a_new_file_is_offered_and_a_broken_one_leaves_the_last(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "targets.json"
    path.write_bytes(encode(signed(listing(version=1), [KEY])))
    offer = Offer(path)
    assert offer.newer_than(0) is not None
    assert (offer.newer_than(1), offer.newer_than(None)) == (None, None)
    for content, version in ((encode(signed(listing(version=2), [KEY])), 2), (b"{", 2)):
        (tmp_path / "draft").write_bytes(content)
        (tmp_path / "draft").replace(path)
        offer.look()
        assert offer.current is not None
        assert offer.current.listed.version == version
    path.unlink()
    offer.look()
    assert offer.newer_than(1) is not None
    assert caplog.text.count("targets_unreadable") == 2


@pytest.mark.parametrize("content", [b"", b"[]", b'{"document":"{}","signatures":["short"]}'])
def test_a_collector_does_not_start_with_a_file_that_is_no_list(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "targets.json"
    path.write_bytes(content)
    with pytest.raises(NoTargets, match=str(path)):
        Offer(path)


def now_on(listed: TargetList) -> TargetList:
    """The same list, of these days: what an agent's rounds need is the real clock."""
    now = datetime.now(UTC)
    return replace(listed, issued_at=now, expires_at=now + timedelta(days=1))


async def measured_after(offered: SignedTargets, folder: Path, done: Callable[[Targets], bool]) -> Round:
    """A round of an agent that pins the key, after a heartbeat to a collector that offers a list."""
    spool = a_spool(folder)
    config = Config(data_dir=str(folder / "data"))
    async with collecting(config) as collector, a_line(folder) as line, asyncio.TaskGroup() as tasks:
        # Not from a file: this collector does not look at what it offers.
        collector.service.intake.offer.current = Offered(offered, listing(version=2))
        agent = an_agent(line, spool, collector)
        pinned = [base64.b64encode(raw(KEY)).decode()]
        agent.desk.targets = Targets(folder / "targets.json", pinned, time.time)
        running = tasks.create_task(agent.run())
        await until(lambda: done(agent.desk.targets))
        outcome = await agent.desk.take()
        agent.stop.set()
        await running
    spool.close()
    return outcome.round


async def test_an_agent_measures_what_a_list_says_from_its_next_round_on(tmp_path: Path) -> None:
    offered = signed(now_on(listing()), [KEY])
    rnd = await measured_after(offered, tmp_path, lambda targets: targets.version == 2)
    assert rnd.targets == (SHIPPED[0],)
    assert {o.host for o in rnd.observations if o.target == "x/media"} == {"pbs.twimg.com"}


async def test_with_a_stolen_key_an_agent_still_measures_nothing_outside_its_list(tmp_path: Path) -> None:
    stolen = by_a_thief(now_on(listing(STRANGERS["a stranger who is called the platform's own"])))
    rnd = await measured_after(stolen, tmp_path, lambda targets: targets.version is None)
    assert rnd.targets == (X,)
    assert not any("victim" in o.host for o in rnd.observations)

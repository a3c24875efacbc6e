"""A prefix's tag: one for as long as the key lives, through restarts, and then never again."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.app import build
from collector.config import Config
from collector.ingest.prefix import KEY_S, Tagger
from collector.store import upkeep
from probe.wire.settings import ConfigError
from tests.batches import batch, signed, someone
from tests.collector.conftest import Clock, collecting

HOME = "203.0.113.9"


def test_one_prefix_has_one_tag_and_another_has_another(tmp_path: Path) -> None:
    tag = Tagger(tmp_path / "key", Clock()).tag
    assert tag(HOME) == tag("203.0.113.200") != tag("203.0.114.9")
    assert tag("2001:db8:1::1") == tag("2001:db8:1:ffff::1") != tag("2001:db8:2::1")
    assert len(tag(HOME)) == 16
    assert Tagger(tmp_path / "other", Clock()).tag(HOME) != tag(HOME)


def test_a_restart_keeps_tags_and_three_days_do_not(tmp_path: Path) -> None:
    file, clock = tmp_path / "key", Clock()
    first = Tagger(file, clock).tag(HOME)
    clock.now += KEY_S - 7200
    tagger = Tagger(file, clock)
    assert tagger.tag(HOME) == first
    old = file.read_bytes()[8:]
    clock.now += 7200
    second = tagger.tag(HOME)
    assert second != first
    assert old not in file.read_bytes()
    assert Tagger(file, clock).tag(HOME) == second


def test_a_key_that_grew_too_old_while_nothing_ran_is_not_used_again(tmp_path: Path) -> None:
    file, clock = tmp_path / "key", Clock()
    first = Tagger(file, clock).tag(HOME)
    old = file.read_bytes()
    clock.now += KEY_S
    tagger = Tagger(file, clock)
    assert file.read_bytes() != old
    assert tagger.tag(HOME) != first


@pytest.mark.parametrize("torn", [b"", b"\0" * 39, b"\xff" * 40, b"k" * 4000])
def test_what_is_no_key_is_written_over(tmp_path: Path, torn: bytes) -> None:
    file = tmp_path / "key"
    file.write_bytes(torn)
    file.chmod(0o644)
    tag = Tagger(file, Clock()).tag(HOME)
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.stat().st_size == 40
    assert Tagger(file, Clock()).tag(HOME) == tag


def test_a_key_that_cannot_be_kept_is_a_line_and_no_collector(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/passwd")
    for file, reason in (
        (tmp_path, "Is a directory"),
        (tmp_path / "none" / "key", "No such file or directory"),
        (tmp_path / "link", "Too many levels of symbolic links"),
    ):
        with pytest.raises(ConfigError) as caught:
            build(Config(data_dir=str(tmp_path / "data"), prefix_key_file=str(file)))
        assert str(caught.value) == f"prefix_key_file: {file}: {reason}"


def test_where_it_cannot_be_replaced_later_tags_are_new_all_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file, clock = tmp_path / "key", Clock()
    tagger = Tagger(file, clock)
    first = tagger.tag(HOME)
    file.unlink()
    file.mkdir()
    clock.now += KEY_S
    assert tagger.tag(HOME) == tagger.tag(HOME) != first
    assert [record.message for record in caplog.records] == ["prefix_key_not_kept error=Is a directory"]


async def test_a_restarted_collector_gives_a_home_the_same_tag_and_no_back_up_holds_the_key(
    tmp_path: Path,
) -> None:
    config, who = Config(data_dir=str(tmp_path / "data")), someone(1)
    for sequence in (1, 2):
        async with collecting(config) as collector:
            await collector.enrol(who)
            await collector.post("/v1/batch", signed(who, batch(who, sequence=sequence)))
            first, *others = [one.prefix for one in collector.service.committer.store.batches()]
    assert others == [first]
    key = config.prefix_key_path.read_bytes()[8:]
    upkeep.back_up(config.data_path, tmp_path / "copy", lambda *_: None)
    assert key not in (tmp_path / "copy").read_bytes()
    assert key not in (config.data_path / "reachwatch.sqlite").read_bytes()

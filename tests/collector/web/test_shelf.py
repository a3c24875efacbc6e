"""What is made once is given to everybody, and a flood of askers makes no more of it."""

from __future__ import annotations

import asyncio
import gzip

import pytest

from collector.web.shelf import Leaf, Shelf


class Maker:
    """Counts what it made."""

    def __init__(self) -> None:
        self.made, self.at_once, self.most_at_once = 0, 0, 0

    async def __call__(self) -> int:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        self.made += 1
        return self.made


async def test_the_same_source_is_made_once_however_many_ask_at_once() -> None:
    shelf, make, source = Shelf[int](9), Maker(), object()
    assert set(await asyncio.gather(*(shelf.get("a", source, make) for _ in range(50)))) == {1}
    assert await shelf.get("a", source, make) == 1
    assert await shelf.get("a", object(), make) == 2


async def test_one_thing_is_made_at_a_time() -> None:
    shelf, make, source = Shelf[int](99), Maker(), object()
    await asyncio.gather(*(shelf.get(str(n), source, make) for n in range(20)))
    assert (make.made, make.most_at_once) == (20, 1)


async def test_no_more_is_held_than_there_is_room_for() -> None:
    shelf, make, source = Shelf[int](2), Maker(), object()
    for name in ("a", "b", "c"):
        await shelf.get(name, source, make)
    assert await shelf.get("c", source, make) == 3
    assert await shelf.get("a", source, make) == 4, "the oldest was let go"


async def test_what_could_not_be_made_is_tried_again() -> None:
    shelf, source = Shelf[int](2), object()

    async def fails() -> int:
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        await shelf.get("a", source, fails)
    assert await shelf.get("a", source, Maker()) == 1


def test_a_leaf_is_the_same_in_either_form_and_named_by_what_is_in_it() -> None:
    leaf = Leaf.of("tämä")
    assert gzip.decompress(leaf.packed) == leaf.body == "tämä".encode()
    assert leaf == Leaf.of("tämä")
    assert leaf.etag != Leaf.of("toinen").etag

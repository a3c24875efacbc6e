"""The import itself: files in, readings out, and a tally of what became of every piece. The only
loop; reading, judging and writing are its neighbours'."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from probe.wire.codec import DecodeError
from probe.wire.platform import Platform
from probe.wire.platform_file import read_platform
from probe.wire.settings import ConfigError

from . import form
from .files import Piece, pieces
from .ooni import host_of, named_after
from .suppose import Reading, reading_of

NAMED = 5  # bad pieces named in the summary; the count tells of the rest

# Beside this package in a checkout, inside the agent's once installed.
_ROOT = Path(__file__).parents[2]
PLATFORM_DIRS = (_ROOT / "probe" / "configs" / "platforms", _ROOT / "configs" / "platforms")


@dataclass
class Tally:
    """What became of everything that was in the files."""

    files: int = 0
    measurements: int = 0
    read: int = 0
    other_hosts: int = 0
    other_tests: int = 0
    bad: int = 0
    named: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether something was read, and nothing of it was bad."""
        return self.measurements + self.other_tests > 0 and not self.bad

    def refuse(self, place: str, reason: str) -> None:
        """Count a bad piece; the first few are named."""
        self.bad += 1
        if len(self.named) < NAMED:
            self.named.append(f"{place}: {reason}")

    def lines(self) -> Iterator[str]:
        """The summary, for a person."""
        yield (
            f"{self.files} files, {self.measurements} web_connectivity measurements: {self.read} read, "
            f"{self.other_hosts} of other hosts, {self.bad} bad; {self.other_tests} of other tests"
        )
        yield from self.named
        if self.bad > len(self.named):
            yield f"and {self.bad - len(self.named)} more bad"


def load_platforms(folder: Path | None) -> tuple[Platform, ...]:
    """Every platform file of a folder, the shipped ones where none is given; raises `ConfigError`."""
    where = folder or next((path for path in PLATFORM_DIRS if path.is_dir()), PLATFORM_DIRS[-1])
    files = sorted(where.glob("*.toml"))
    if not files:
        raise ConfigError(f"{where}: no platform files there; name their folder with --platforms")
    return tuple(_load_platform(file) for file in files)


def _load_platform(file: Path) -> Platform:
    try:
        return read_platform(file.read_text(encoding="utf-8"), file.name)
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{file}: not UTF-8") from None


def run(
    files: Iterable[Path], platforms: Sequence[Platform], *, any_host: bool, show: Callable[[Reading], None]
) -> Tally:
    """Read every file and `show` each reading as soon as it is there."""
    tally = Tally()
    for file in files:
        tally.files += 1
        for piece in pieces(file):
            _take(piece, platforms, tally, show, any_host=any_host)
    return tally


def _take(
    piece: Piece,
    platforms: Sequence[Platform],
    tally: Tally,
    show: Callable[[Reading], None],
    *,
    any_host: bool,
) -> None:
    if piece.problem is not None:
        tally.refuse(piece.place, piece.problem)
        return
    try:
        reading = _read(piece.data, platforms, tally, any_host=any_host)
    except DecodeError as error:
        tally.refuse(piece.place, str(error))
        return
    if reading is not None:
        tally.read += 1
        show(reading)


def _read(data: bytes, platforms: Sequence[Platform], tally: Tally, *, any_host: bool) -> Reading | None:
    measurement = form.read(data)
    if measurement is None:
        tally.other_tests += 1
        return None
    tally.measurements += 1
    host = host_of(measurement)
    platform = next((p for p in platforms if p.owns(host)), None)
    if platform is None and (not any_host or _is_address(host)):
        tally.other_hosts += 1
        return None
    return reading_of(measurement, platform or named_after(host), host, data, known=platform is not None)


def _is_address(host: str) -> bool:
    """Whether the URL named an address: nothing was looked up, and platforms are measured by name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True

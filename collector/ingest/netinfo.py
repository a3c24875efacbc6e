"""Where an address is: country and AS from databases that the operator supplies.

Two formats: MaxMind's (`maxminddb`, read by the library; GeoLite2, DB-IP and IPinfo lay their
fields out differently) and the text files of Debian's tor-geoipdb, which need no account. The
address is looked up at the moment of receipt and goes no further.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import maxminddb

from collector.config import Geo
from probe.wire.settings import ConfigError

from .place import Found

Country = Callable[[str], str | None]
Asn = Callable[[str], int | None]


@dataclass(frozen=True, slots=True)
class NetInfo:
    """The databases, each None where the operator has none."""

    country: Country | None = None
    asn: Asn | None = None

    def find(self, address: str) -> Found:
        """What they say of an address."""
        return Found(
            country=self.country(address) if self.country else None,
            asn=self.asn(address) if self.asn else None,
        )


def open_netinfo(geo: Geo) -> NetInfo:
    """Open what the configuration names; raises `ConfigError` for a file that cannot be used."""
    return NetInfo(country=_country(geo), asn=_asn(geo))


def _country(geo: Geo) -> Country | None:
    if not geo.country_file:
        if geo.country6_file:
            raise ConfigError("geo.country6_file: goes with geo.country_file")
        return None
    if geo.country_file.endswith(".mmdb"):
        reader = _reader(geo.country_file, "geo.country_file")
        return lambda address: _text_of(reader.get(address))
    four = _ranges(geo.country_file, "geo.country_file", _number)
    six = _ranges(geo.country6_file, "geo.country6_file", _ipv6_number) if geo.country6_file else ([], [])
    return lambda address: _within(address, four, six)


def _asn(geo: Geo) -> Asn | None:
    if not geo.asn_file:
        return None
    reader = _reader(geo.asn_file, "geo.asn_file")
    return lambda address: _asn_of(reader.get(address))


def _reader(file: str, setting: str) -> maxminddb.Reader:
    try:
        return maxminddb.open_database(file)
    except OSError as error:
        raise ConfigError(f"{setting}: {file}: {error.strerror or error}") from None
    except (ValueError, maxminddb.InvalidDatabaseError):
        raise ConfigError(f"{setting}: {file}: not a maxminddb file") from None


def _text_of(record: object) -> str | None:
    """MaxMind and DB-IP nest ``country.iso_code``; IPinfo writes ``country`` or ``country_code``."""
    if not isinstance(record, dict):
        return None
    country = record.get("country") or record.get("registered_country")
    code = country.get("iso_code") if isinstance(country, dict) else record.get("country_code") or country
    return code if isinstance(code, str) and len(code) == 2 else None


def _asn_of(record: object) -> int | None:
    """MaxMind and DB-IP write a number; IPinfo writes ``AS17557``."""
    if not isinstance(record, dict):
        return None
    found = record.get("autonomous_system_number") or record.get("asn")
    digits = str(found or "").upper().removeprefix("AS")
    return int(digits) if digits.isdigit() else None


Ranges = tuple[Sequence[int], Sequence[tuple[int, str]]]


def _ranges(file: str, setting: str, number: Callable[[str], int]) -> Ranges:
    """``start,end,CC`` lines, sorted, as tor-geoipdb writes them."""
    starts, ends = [], []
    try:
        lines = Path(file).read_text(encoding="ascii").splitlines()
        for line in lines:
            if line and not line.startswith("#"):
                start, end, country = line.split(",")
                starts.append(number(start))
                ends.append((number(end), country))
    except OSError as error:
        raise ConfigError(f"{setting}: {file}: {error.strerror or error}") from None
    except ValueError:
        raise ConfigError(f"{setting}: {file}: neither a .mmdb nor a tor-geoipdb file") from None
    if not starts or starts != sorted(starts):
        raise ConfigError(f"{setting}: {file}: empty or not sorted")
    return starts, ends


def _number(text: str) -> int:
    return int(text)


def _ipv6_number(text: str) -> int:
    return int(ip_address(text))


def _within(text: str, four: Ranges, six: Ranges) -> str | None:
    address = ip_address(text)
    starts, ends = four if address.version == 4 else six
    at = bisect_right(starts, int(address)) - 1
    if at < 0 or ends[at][0] < int(address):
        return None
    country = ends[at][1]
    return country if country.isalpha() else None  # "??" where the source does not know

"""Where an address is: the operator's databases first, the probe's own word marked as such."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.config import Geo
from collector.ingest.netinfo import _asn_of, _text_of, open_netinfo
from probe.wire.observation import Network
from probe.wire.settings import ConfigError

FOUR = "# tor-geoipdb\n16777216,16777471,AU\n3405803776,3405804031,PK\n3405804032,3405804287,??\n"
SIX = "2001:db8::,2001:db8:ffff:ffff:ffff:ffff:ffff:ffff,PK\n"


def geo(tmp_path: Path, four: str = FOUR) -> Geo:
    (tmp_path / "geoip").write_text(four)
    (tmp_path / "geoip6").write_text(SIX)
    return Geo(country_file=str(tmp_path / "geoip"), country6_file=str(tmp_path / "geoip6"))


@pytest.mark.parametrize(
    ("address", "country", "by"),
    [
        ("203.0.113.9", "PK", "database"),
        ("1.0.0.77", "AU", "database"),
        ("2001:db8::9", "PK", "database"),
        ("203.0.114.9", "DE", "declared"),  # the source does not know
        ("198.51.100.1", "DE", "declared"),
        ("0.0.0.1", "DE", "declared"),
    ],
)
def test_the_database_decides_where_it_knows(tmp_path: Path, address: str, country: str, by: str) -> None:
    place = open_netinfo(geo(tmp_path)).find(address).place(Network(country="DE", asn=3320))
    assert (place.country, place.located_by, place.asn) == (country, by, 3320)


def test_without_databases_and_without_a_word_nothing_is_known() -> None:
    place = open_netinfo(Geo()).find("203.0.113.9").place(Network())
    assert (place.country, place.asn, place.located_by) == ("ZZ", 0, "declared")


@pytest.mark.skipif(not Path("/usr/share/tor/geoip").exists(), reason="needs Debian's tor-geoipdb")
def test_debians_own_files_are_read() -> None:
    info = open_netinfo(Geo(country_file="/usr/share/tor/geoip", country6_file="/usr/share/tor/geoip6"))
    assert info.find("39.32.0.1").place(Network()).country == "PK"
    assert info.find("2a03:2880::1").place(Network()).located_by == "database"


@pytest.mark.parametrize("text", ["", "hello\n", "5,6,PK\n1,2,PK\n", "a,b,PK\n"])
def test_a_file_that_is_no_database_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"geo\.country_file: .*geoip: (neither|empty)"):
        open_netinfo(geo(tmp_path, text))


LINES = st.lists(st.text("0123456789,:abPK?#\n", max_size=30), max_size=6).map("\n".join)


@given(LINES)
def test_any_text_is_a_database_or_a_configuration_error(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    with contextlib.suppress(ConfigError):
        info = open_netinfo(geo(tmp_path_factory.mktemp("geo"), text))
        assert info.find("203.0.113.9").place(Network()).located_by in ("database", "declared")


@pytest.mark.parametrize(
    ("record", "country"),
    [
        ({"country": {"iso_code": "PK"}}, "PK"),
        ({"registered_country": {"iso_code": "PK"}}, "PK"),
        ({"country": "PK"}, "PK"),
        ({"country": "Pakistan", "country_code": "PK"}, "PK"),
        ({"country": {}}, None),
        (None, None),
        ({"country": 7}, None),
    ],
)
def test_every_suppliers_layout_is_read(record: object, country: str | None) -> None:
    assert _text_of(record) == country


@pytest.mark.parametrize(
    ("record", "asn"),
    [
        ({"autonomous_system_number": 17557}, 17557),
        ({"asn": "AS17557"}, 17557),
        ({}, None),
        ({"asn": "?"}, None),
    ],
)
def test_every_suppliers_as_number_is_read(record: object, asn: int | None) -> None:
    assert _asn_of(record) == asn

"""Whose address and country a request has, and whom it believes."""

import ipaddress
from pathlib import Path

import pytest

from eventmill.errors import SettingsError
from eventmill.settings import Settings
from ingest_service.gateway.clients import Clients

PROXIES = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8"))
CLIENTS = Clients(PROXIES, "cf-ipcountry")


@pytest.mark.parametrize(
    ("peer", "headers", "address"),
    [
        ("203.0.113.9", {"x-forwarded-for": "198.51.100.1"}, "203.0.113.9"),
        ("10.0.0.1", {}, "10.0.0.1"),
        ("10.0.0.1", {"x-forwarded-for": "198.51.100.1"}, "198.51.100.1"),
        ("10.0.0.1", {"x-forwarded-for": "1.1.1.1, 198.51.100.1, 10.9.9.9"}, "198.51.100.1"),
        ("10.0.0.1", {"x-forwarded-for": "10.0.0.3, 10.0.0.2"}, "10.0.0.3"),
        ("10.0.0.1", {"x-forwarded-for": "198.51.100.1, unknown"}, "10.0.0.1"),
        ("10.0.0.1", {"x-forwarded-for": "198.51.100.1:4711"}, "198.51.100.1"),
        ("fd00::1", {"x-forwarded-for": "[2001:db8::1]:4711"}, "2001:db8::1"),
        ("::ffff:10.0.0.1", {"x-forwarded-for": "::ffff:198.51.100.1"}, "198.51.100.1"),
        ("10.0.0.1", {"forwarded": 'for="[2001:db8::1]:4711";proto=https, for=10.0.0.2'}, "2001:db8::1"),
        ("10.0.0.1", {"forwarded": "for=1.1.1.1", "x-forwarded-for": "198.51.100.1"}, "198.51.100.1"),
        ("10.0.0.1", {"forwarded": "for=_hidden"}, "10.0.0.1"),
    ],
)
def test_the_rightmost_address_that_no_proxy_has_is_the_clients(
    peer: str, headers: dict[str, str], address: str
) -> None:
    assert CLIENTS.locate(peer, headers)[0] == address


def test_without_trusted_proxies_nobodys_word_is_taken() -> None:
    assert Clients().locate("10.0.0.1", {"x-forwarded-for": "1.1.1.1", "cf-ipcountry": "DE"}) == ("10.0.0.1", None)


@pytest.mark.parametrize(
    ("peer", "given", "country"),
    [
        ("10.0.0.1", "de", "DE"),
        ("10.0.0.1", "XX", None),
        ("10.0.0.1", "T1", None),
        ("10.0.0.1", "DE\n", "DE"),
        ("10.0.0.1", "Germany", None),
        ("203.0.113.9", "DE", None),
    ],
)
def test_a_country_comes_from_a_trusted_proxy_only(peer: str, given: str, country: str | None) -> None:
    assert CLIENTS.locate(peer, {"cf-ipcountry": given})[1] == country


class Database:
    """Knows one address."""

    def get(self, ip_address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> object:
        return {"country": {"iso_code": "NZ"}} if str(ip_address) == "198.51.100.1" else None


def test_a_country_file_is_asked_for_the_client_behind_the_proxy() -> None:
    clients = Clients(PROXIES, "cf-ipcountry", Database())
    forwarded = {"x-forwarded-for": "198.51.100.1"}
    assert clients.locate("10.0.0.1", forwarded)[1] == "NZ"
    assert clients.locate("10.0.0.1", forwarded | {"cf-ipcountry": "AU"})[1] == "AU"
    assert clients.locate("203.0.113.9", {})[1] is None


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"trusted_proxies": "10.0.0.0/8,proxy"}, "EVENTMILL_TRUSTED_PROXIES"),
        ({"trusted_proxies": "10.0.0.1/8"}, "EVENTMILL_TRUSTED_PROXIES"),
        ({"country_header": "CF IPCountry"}, "EVENTMILL_COUNTRY_HEADER"),
        ({"geoip_file": Path("nowhere.mmdb")}, "EVENTMILL_GEOIP_FILE"),
        ({"geoip_file": Path(__file__)}, "EVENTMILL_GEOIP_FILE"),
    ],
)
def test_a_wrong_setting_is_named_at_the_start(tmp_path: Path, change: dict[str, object], name: str) -> None:
    with pytest.raises(SettingsError, match=name):
        Clients.from_settings(Settings(home=tmp_path).model_copy(update=change))

"""Where a request comes from: its client's address behind trusted proxies, and the country. Neither log nor store."""

import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import maxminddb

from eventmill.contracts.filters import Network
from eventmill.errors import SettingsError
from eventmill.settings import Settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_COUNTRY = re.compile(r"[A-Z]{2}")
_HEADER_NAME = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+")
# What proxies write where they do not know: Cloudflare's XX and T1 (Tor).
_NO_COUNTRY = frozenset({"XX"})
_FORWARDED_FOR = re.compile(r'for=("[^"]*"|[^;,\s]*)', re.IGNORECASE)
_WITH_PORT = re.compile(r"\[([^\]]+)\](?::\d+)?|(\d+\.\d+\.\d+\.\d+):\d+")


class Countries(Protocol):
    """Looks up what is known of an address."""

    def get(self, ip_address: Address, /) -> object:
        """A MaxMind record, or None."""


class Clients:
    """Tells a request's client from the peer of its connection and from what trusted proxies say.

    `country_header` is lower case; `countries` is asked where the header says nothing.
    """

    def __init__(
        self, trusted: tuple[Network, ...] = (), country_header: str | None = None, countries: Countries | None = None
    ) -> None:
        self._trusted, self._country_header, self._countries = trusted, country_header, countries

    @classmethod
    def from_settings(cls, settings: Settings) -> "Clients":
        """Clients as the settings say. Raises SettingsError for a wrong value or file."""
        return cls(
            _networks(settings.trusted_proxies),
            _header_name(settings.country_header),
            _open_database(settings.geoip_file),
        )

    def locate(self, peer: str, headers: Mapping[str, str]) -> tuple[str, str | None]:
        """Address of the client and its country (ISO 3166-1 alpha-2) where known; header names are lower case."""
        if not self._trusted and self._countries is None:
            return peer, None
        address = _parse(peer)
        if address is None:
            return peer, None
        country = None
        if self._is_trusted(address):
            if self._country_header is not None:
                country = _country(headers.get(self._country_header, "").strip().upper())
            address = self._behind(address, headers)
        if country is None and self._countries is not None:
            country = _country_of(self._countries.get(address))
        return str(address), country

    def _is_trusted(self, address: Address) -> bool:
        return any(address in network for network in self._trusted)

    def _behind(self, proxy: Address, headers: Mapping[str, str]) -> Address:
        """The rightmost address that no trusted proxy has: everything left of it the client may have made up."""
        last = proxy
        for text in reversed(_hops(headers)):
            hop = _parse(text)
            if hop is None:
                return last
            if not self._is_trusted(hop):
                return hop
            last = hop
        return last


def _hops(headers: Mapping[str, str]) -> list[str]:
    # One of the two: were they mixed, a client could slip in the header that its proxy does not set.
    if given := headers.get("x-forwarded-for"):
        return [part.strip() for part in given.split(",")]
    return [found.strip('"') for found in _FORWARDED_FOR.findall(headers.get("forwarded", ""))]


def _parse(text: str) -> Address | None:
    if matched := _WITH_PORT.fullmatch(text):
        text = matched[1] or matched[2]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _country(text: str) -> str | None:
    return text if _COUNTRY.fullmatch(text) and text not in _NO_COUNTRY else None


def _country_of(record: object) -> str | None:
    country = record.get("country") if isinstance(record, dict) else None
    code = country.get("iso_code") if isinstance(country, dict) else None
    return _country(code) if isinstance(code, str) else None


def _networks(text: str) -> tuple[Network, ...]:
    networks: list[Network] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        try:
            networks.append(ipaddress.ip_network(part))
        except ValueError as error:
            raise SettingsError(
                f"EVENTMILL_TRUSTED_PROXIES: {part[:60]!r} is no network: {error}.",
                "Give addresses or networks apart by commas, such as 127.0.0.1/32,10.0.0.0/8.",
            ) from None
    return tuple(networks)


def _header_name(name: str | None) -> str | None:
    if not name:
        return None
    lowered = name.strip().lower()
    if not _HEADER_NAME.fullmatch(lowered):
        raise SettingsError(
            f"EVENTMILL_COUNTRY_HEADER: {name[:60]!r} is no header's name.", "For example CF-IPCountry."
        )
    return lowered


def _open_database(file: Path | None) -> maxminddb.Reader | None:
    if file is None:
        return None
    try:
        return maxminddb.open_database(file)
    except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
        raise SettingsError(
            f"EVENTMILL_GEOIP_FILE: {file} cannot be read: {error}.", "It is a MaxMind file (.mmdb) with countries."
        ) from None

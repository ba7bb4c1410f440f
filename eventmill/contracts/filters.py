"""Events that an app leaves out: internal traffic, and people who were erased. They are counted, not stored."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from eventmill.contracts.suppression import Suppression

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MAX_GLOB = 500
WILDCARD = "*"


class FilterKind(StrEnum):
    """Why an event was left out: the kinds of the accounting identity."""

    ADDRESS = "address"
    HOST = "host"
    PATH = "path"
    OPT_OUT = "opt_out"
    SUPPRESSED = "suppressed"


@dataclass(frozen=True, slots=True)
class Filters:
    """What an app leaves out. `hosts` and `paths` are globs: `*` stands for any text, everything else for itself."""

    networks: tuple[Network, ...] = ()
    hosts: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    people: Suppression | None = None

    def covers_address(self, address: str) -> bool:
        """Whether a client's address lies in one of the ranges; a text that is no address lies in none."""
        if not self.networks:
            return False
        try:
            client = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        # A dual-stack socket shows an IPv4 client as ::ffff:10.0.0.1.
        client = getattr(client, "ipv4_mapped", None) or client
        return any(client in network for network in self.networks)

    def kind_of(self, host: str | None, path: str | None) -> FilterKind | None:
        """The filter that a page's host (in any case) and path meet; None where the event stays."""
        if self.hosts and host and any(_matches(glob, host.lower()) for glob in self.hosts):
            return FilterKind.HOST
        if self.paths and path and any(_matches(glob, path) for glob in self.paths):
            return FilterKind.PATH
        return None


NO_FILTERS = Filters()


def filters_of(rules: Iterable[tuple[str, str]]) -> Filters:
    """Filters of (kind, pattern) pairs. Raises ValueError naming the kind and the rule that a pattern breaks."""
    checked = [(kind, checked_pattern(kind, pattern)) for kind, pattern in rules]
    return Filters(
        tuple(ipaddress.ip_network(pattern) for kind, pattern in checked if kind == FilterKind.ADDRESS),
        tuple(pattern for kind, pattern in checked if kind == FilterKind.HOST),
        tuple(pattern for kind, pattern in checked if kind == FilterKind.PATH),
    )


def checked_pattern(kind: str, pattern: str) -> str:
    """The pattern in its canonical form. Raises ValueError naming the kind and the rule."""
    match kind:
        case FilterKind.ADDRESS:
            return str(_network(pattern))
        case FilterKind.HOST:
            return _checked_host(pattern)
        case FilterKind.PATH:
            return _checked_path(pattern)
    msg = f"{kind!r} is no kind of filter: address, host or path"
    raise ValueError(msg)


def _network(pattern: str) -> Network:
    try:
        # A host's address with a prefix, 10.1.2.3/8, means the range that holds it.
        network = ipaddress.ip_network(pattern.strip(), strict=False)
    except ValueError:
        msg = f"address: {pattern[:60]!r} is neither an IP address nor a range such as 10.0.0.0/8 or 2001:db8::/32"
        raise ValueError(msg) from None
    first = getattr(network.network_address, "ipv4_mapped", None)
    if first is not None and network.prefixlen >= 96:
        return ipaddress.ip_network((first, network.prefixlen - 96))
    return network


def _checked_host(pattern: str) -> str:
    host = _checked_glob("host", pattern.strip().lower())
    if any(character in "/:@?#[]" or character.isspace() for character in host):
        raise ValueError("host: a name or glob such as staging.* or *.example.org, without scheme, port and path")
    return host


def _checked_path(pattern: str) -> str:
    path = _checked_glob("path", pattern)
    if not path.startswith(("/", WILDCARD)):
        raise ValueError("path: must start with / or *, for example /admin/*")
    return path


def _checked_glob(kind: str, pattern: str) -> str:
    if not 1 <= len(pattern) <= MAX_GLOB or not pattern.isprintable():
        msg = f"{kind}: must have 1 to {MAX_GLOB} printable characters"
        raise ValueError(msg)
    if not pattern.replace(WILDCARD, ""):
        msg = f"{kind}: {pattern!r} would leave out every page"
        raise ValueError(msg)
    return pattern


def _matches(glob: str, text: str) -> bool:
    """Whether the whole text meets the glob, in one pass: a regular expression could backtrack for minutes."""
    first, *rest = glob.split(WILDCARD)
    if not rest:
        return glob == text
    *middle, last = rest
    if not text.startswith(first) or not text.endswith(last) or len(text) < len(first) + len(last):
        return False
    position, end = len(first), len(text) - len(last)
    for part in middle:
        found = text.find(part, position, end)
        if found < 0:
            return False
        position = found + len(part)
    return True

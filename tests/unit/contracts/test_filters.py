"""Which traffic an app leaves out."""

import pytest

from eventmill.contracts.filters import NO_FILTERS, FilterKind, filters_of


@pytest.mark.parametrize("address", ["10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3", "2001:db8::1", "192.0.2.7"])
def test_an_address_in_a_range_is_covered(address: str) -> None:
    filters = filters_of([("address", "10.0.0.0/8"), ("address", "2001:db8::/32"), ("address", "192.0.2.7")])
    assert filters.covers_address(address)


@pytest.mark.parametrize(
    "address", ["11.0.0.0", "2001:db9::1", "192.0.2.8", "", "not an address", "10.0.0.1, 10.0.0.2"]
)
def test_any_other_address_is_not(address: str) -> None:
    filters = filters_of([("address", "10.0.0.0/8"), ("address", "2001:db8::/32"), ("address", "192.0.2.7")])
    assert not filters.covers_address(address)


def test_a_range_given_by_one_of_its_hosts_or_as_mapped_ipv6_is_the_range() -> None:
    filters = filters_of([("address", "10.1.2.3/8"), ("address", "::ffff:192.0.2.0/120")])
    assert [str(network) for network in filters.networks] == ["10.0.0.0/8", "192.0.2.0/24"]


@pytest.mark.parametrize(
    ("glob", "host", "is_left_out"),
    [
        ("staging.*", "staging.example.org", True),
        ("staging.*", "STAGING.Example.org", True),
        ("staging.*", "www.staging.example.org", False),
        ("*.internal", "a.b.internal", True),
        ("localhost", "localhost", True),
        ("localhost", "localhost.example.org", False),
        ("a*b*c", "axxbyyc", True),
        ("a*b*c", "axxc", False),
        ("a*a", "a", False),
        ("xn--[a-z]", "xn--q", None),
    ],
)
def test_a_host_is_a_glob_whose_only_wildcard_is_the_star(glob: str, host: str, is_left_out: bool | None) -> None:
    if is_left_out is None:
        with pytest.raises(ValueError, match="host"):
            filters_of([("host", glob)])
        return
    assert (filters_of([("host", glob)]).kind_of(host, "/") is FilterKind.HOST) is is_left_out


def test_a_path_is_compared_with_its_case_and_after_the_host() -> None:
    filters = filters_of([("host", "staging.*"), ("path", "/admin/*"), ("path", "*.map")])
    assert filters.kind_of("www.example.org", "/admin/users") is FilterKind.PATH
    assert filters.kind_of("www.example.org", "/Admin/users") is None
    assert filters.kind_of(None, "/js/app.map") is FilterKind.PATH
    assert filters.kind_of("staging.example.org", "/admin/users") is FilterKind.HOST
    assert filters.kind_of(None, None) is None


def test_no_filters_leave_nothing_out() -> None:
    assert not NO_FILTERS.covers_address("127.0.0.1")
    assert NO_FILTERS.kind_of("localhost", "/admin") is None


@pytest.mark.parametrize(
    ("kind", "pattern"),
    [
        ("address", "10.0.0.0/33"),
        ("address", "office"),
        ("host", "https://example.org"),
        ("host", "*"),
        ("host", ""),
        ("path", "admin"),
        ("path", "**"),
        ("path", "/a\x00"),
        ("path", "/" + "a" * 500),
        ("opt_out", "x"),
    ],
)
def test_a_pattern_that_breaks_a_rule_is_refused_by_name(kind: str, pattern: str) -> None:
    with pytest.raises(ValueError, match=kind):
        filters_of([(kind, pattern)])


@pytest.mark.timeout(20)
def test_a_glob_of_many_stars_takes_one_pass() -> None:
    filters = filters_of([("path", "/*" + "a*" * 200 + "b")])
    assert filters.kind_of(None, "/" + "a" * 30_000) is None

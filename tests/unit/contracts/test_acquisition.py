"""Channels by the rules of GA4's default channel group."""

import pytest

from eventmill.contracts.acquisition import CLICK_IDS, Acquisition, Visit, acquisition

NOWHERE = Visit("shop.example", None, None, None, None, None)


def channel(**parts: str) -> str:
    return acquisition(NOWHERE._replace(**parts)).channel


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("www.google.com", "organic_search"),
        ("google.co.uk", "organic_search"),
        ("com.google.android.googlequicksearchbox", "organic_search"),
        ("l.facebook.com", "organic_social"),
        ("t.co", "organic_social"),
        ("news.ycombinator.com", "organic_social"),
        ("m.youtube.com", "organic_video"),
        ("www.amazon.de", "organic_shopping"),
        ("mail.google.com", "email"),
        ("blog.example", "referral"),
        ("x.example", "referral"),
        ("x.y.example", "referral"),
        ("localhost", "referral"),
        ("mygoogle.com", "referral"),
    ],
)
def test_a_referrer_gives_an_organic_channel(host: str, expected: str) -> None:
    assert acquisition(NOWHERE._replace(referrer_host=host)) == Acquisition(host, expected)


@pytest.mark.parametrize("host", ["shop.example", "www.shop.example"])
def test_the_pages_own_host_leads_nobody_here(host: str) -> None:
    assert acquisition(NOWHERE._replace(referrer_host=host)) == Acquisition(None, "direct")


def test_without_any_sign_a_visit_is_direct() -> None:
    assert channel() == "direct"


@pytest.mark.parametrize(
    ("source", "medium", "expected"),
    [
        ("google", "cpc", "paid_search"),
        ("Google", "CPC", "paid_search"),
        ("www.google.com", "ppc", "paid_search"),
        ("facebook", "paid-social", "paid_social"),
        ("youtube", "cpv", "paid_video"),
        ("youtube", "cpc", "paid_video"),
        ("amazon", "cpc", "paid_shopping"),
        ("partner", "cpc", "paid_other"),
        ("partner", "cpm", "display"),
        ("partner", "banner", "display"),
        ("facebook", "post", "organic_social"),
        ("partner", "social", "organic_social"),
        ("partner", "video", "organic_video"),
        ("google", "organic", "organic_search"),
        ("partner", "organic", "organic_search"),
        ("partner", "referral", "referral"),
        ("news", "email", "email"),
        ("email", "", "email"),
        ("partner", "affiliate", "affiliates"),
        ("radio", "audio", "audio"),
        ("us", "sms", "sms"),
        ("app", "web-push", "mobile_push"),
        ("partner", "", "unassigned"),
        ("partner", "mystery", "unassigned"),
    ],
)
def test_a_tagged_link_follows_its_tags(source: str, medium: str, expected: str) -> None:
    assert channel(utm_source=source, utm_medium=medium) == expected


def test_a_campaign_can_name_the_channel() -> None:
    assert channel(utm_medium="cpc", utm_campaign="Spring-Cross-Network") == "cross_network"
    assert channel(utm_source="news", utm_campaign="summer shopping") == "organic_shopping"


def test_the_referrer_tells_what_a_tag_leaves_open() -> None:
    assert channel(referrer_host="www.google.com", utm_medium="cpc") == "paid_search"
    assert channel(referrer_host="www.google.com", utm_source="partner") == "unassigned"


def test_every_click_id_gives_a_channel() -> None:
    found = {name: channel(click_id=name) for name in CLICK_IDS}
    assert found == {
        "gclid": "paid_search",
        "gbraid": "paid_search",
        "wbraid": "paid_search",
        "dclid": "display",
        "msclkid": "paid_search",
        "ttclid": "paid_social",
        "twclid": "paid_social",
        "li_fat_id": "paid_social",
        "fbclid": "organic_social",
    }


def test_tags_are_surer_than_a_click_id() -> None:
    assert channel(click_id="gclid", utm_source="news", utm_medium="email") == "email"


def test_long_texts_are_read_like_short_ones() -> None:
    assert channel(utm_source="x" * 10_000, utm_medium="email") == "email"

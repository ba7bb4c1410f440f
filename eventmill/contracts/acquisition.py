"""Where a visit came from: GA4's default channel groups, from campaign parameters, click ids and the referrer.

The rules are those of https://support.google.com/analytics/answer/9756891, in their order. The lists of sites are short
on purpose: whoever tags links gets a channel without them, and what is on none of them is a referral.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

# Parameters that advertisers add to a link, the surest sign first, and the site and medium that each one stands for.
# fbclid is added to every link on Facebook, paid or not.
CLICK_IDS: dict[str, tuple[str, str]] = {
    "gclid": ("google", "cpc"),
    "gbraid": ("google", "cpc"),
    "wbraid": ("google", "cpc"),
    "dclid": ("", "cpm"),
    "msclkid": ("bing", "cpc"),
    "ttclid": ("tiktok", "paid"),
    "twclid": ("twitter", "paid"),
    "li_fat_id": ("linkedin", "paid"),
    "fbclid": ("facebook", "social"),
}

# Registered names; the same words name a site in `utm_source`.
_NAMES = {
    "search": "google bing duckduckgo yahoo yandex baidu ecosia startpage qwant naver seznam sogou ask aol brave kagi",
    "social": "facebook fb instagram ig twitter x linkedin lnkd pinterest reddit tiktok snapchat tumblr vk vkontakte "
    "weibo quora threads bsky bluesky mastodon whatsapp telegram discord ycombinator xing line wechat messenger",
    "video": "youtube youtu vimeo twitch dailymotion",
    "shopping": "amazon ebay etsy aliexpress alibaba walmart shopify idealo",
    "email": "email e-mail e_mail",
}
_SITES = {name: kind for kind, names in _NAMES.items() for name in names.split()} | {"e mail": "email"}
# Hosts whose name alone would say something else, or nothing.
_HOSTS = {
    "mail.google.com": "email",
    "com.google.android.gm": "email",
    "outlook.live.com": "email",
    "outlook.office.com": "email",
    "mail.yahoo.com": "email",
    "mail.proton.me": "email",
    "t.me": "social",
    "x.com": "social",
    "t.co": "social",
    "vk.com": "social",
    "line.me": "social",
    "threads.net": "social",
    "threads.com": "social",
    "ask.com": "search",
    "com.google.android.googlequicksearchbox": "search",
}
# Names that mean a site only when they are given as `utm_source`, or as one of the hosts above.
_SHORT = frozenset(
    {"x", "vk", "line", "ask", "fb", "ig", "email", "e-mail", "e_mail", "e mail", "messenger", "threads"}
)
_SECOND_LEVEL = frozenset({"co", "com", "net", "org"})

_PAID = re.compile(r"cp|^ppc$|^retargeting$|^paid")
_SHOP = re.compile(r"(?:[^a-df-z]|^)shop")
_DISPLAY = frozenset({"display", "banner", "expandable", "interstitial", "cpm"})
_SOCIAL = frozenset({"social", "social-network", "social-media", "sm", "social network", "social media"})
_EMAIL = frozenset({"email", "e-mail", "e_mail", "e mail"})
_MEDIA: Mapping[str, str] = {
    "organic": "organic_search",
    **dict.fromkeys(("referral", "app", "link"), "referral"),
    **dict.fromkeys(_EMAIL, "email"),
    "affiliate": "affiliates",
    "affiliates": "affiliates",
    "audio": "audio",
    "sms": "sms",
}
_ORGANIC = {
    "shopping": "organic_shopping",
    "social": "organic_social",
    "video": "organic_video",
    "search": "organic_search",
    "email": "email",
}


class Visit(NamedTuple):
    """What the channel follows from: hosts in lower case, the name of a click id, and the campaign's parameters."""

    page_host: str | None
    click_id: str | None
    referrer_host: str | None
    utm_source: str | None
    utm_medium: str | None
    utm_campaign: str | None


class Acquisition(NamedTuple):
    """The host of another site that led here, and the channel."""

    referrer_host: str | None
    channel: str


def acquisition(visit: Visit) -> Acquisition:
    """The channel of a visit. A referrer on the page's own host is none."""
    host = visit.referrer_host
    if host is not None and visit.page_host is not None and _bare(host) == _bare(visit.page_host):
        host = None
    return Acquisition(host, _channel(visit, host))


def _bare(host: str) -> str:
    return host.removeprefix("www.")


def _channel(visit: Visit, referrer_host: str | None) -> str:
    source, medium = (visit.utm_source or "").lower(), (visit.utm_medium or "").lower()
    campaign = (visit.utm_campaign or "").lower()
    site = _site(source)
    if not source and not medium and visit.click_id:
        source, medium = CLICK_IDS[visit.click_id]
        site = _site(source)
    if not source and not medium and not campaign:
        if referrer_host is None:
            return "direct"
        return _ORGANIC.get(_site_of_host(referrer_host) or "", "referral")
    return _tagged(site or (_site_of_host(referrer_host) if referrer_host and not source else None), medium, campaign)


def _tagged(site: str | None, medium: str, campaign: str) -> str:
    """The channel of a tagged link, by GA4's rules in GA4's order."""
    if "cross-network" in campaign:
        return "cross_network"
    is_shop = site == "shopping" or _SHOP.search(campaign) is not None
    is_paid = _PAID.search(medium) is not None
    kind = "shopping" if is_shop else site
    if is_paid and kind in {"shopping", "search", "social", "video"}:
        return f"paid_{kind}"
    if medium in _DISPLAY:
        return "display"
    if is_paid:
        return "paid_other"
    return "organic_shopping" if is_shop else _unpaid(site, medium)


def _unpaid(site: str | None, medium: str) -> str:
    if site == "social" or medium in _SOCIAL:
        return "organic_social"
    if site == "video" or "video" in medium:
        return "organic_video"
    if site == "search":
        return "organic_search"
    return _MEDIA.get(medium) or ("email" if site == "email" else _push(medium))


def _push(medium: str) -> str:
    is_push = medium.endswith("push") or "mobile" in medium or "notification" in medium
    return "mobile_push" if is_push else "unassigned"


def _site(source: str) -> str | None:
    """The kind of site that a `utm_source` names, as a word or as a host."""
    return _SITES.get(source) or (_site_of_host(source) if "." in source else None)


def _site_of_host(host: str) -> str | None:
    if found := _HOSTS.get(_bare(host)):
        return found
    labels = host.split(".")
    # The name that was registered: google in www.google.com and in google.co.uk.
    at = -3 if len(labels) > 2 and labels[-2] in _SECOND_LEVEL else -2
    name = labels[at] if len(labels) >= -at else ""
    return None if name in _SHORT else _SITES.get(name)

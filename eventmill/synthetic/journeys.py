"""What a person does in one session of a web shop, its mobile app, or on the shop's server."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from eventmill.synthetic.people import Person, choose

SyntheticSource = Literal["web", "mobile", "server"]
Fields = dict[str, Any]

SITE = "https://shop.example"
CATEGORIES = ("shoes", "jackets", "tents", "maps", "bikes", "lamps")
PRODUCTS = 400
ARTICLES = 60
REFERRERS = {
    "https://www.google.com/": 42,
    "": 34,
    "https://duckduckgo.com/": 5,
    "https://www.bing.com/": 5,
    "https://news.ycombinator.com/": 3,
    "https://t.co/": 4,
    "https://www.reddit.com/": 4,
    "https://partner.example/deals": 3,
}
CAMPAIGNS = (
    "utm_source=newsletter&utm_medium=email&utm_campaign=autumn",
    "utm_source=google&utm_medium=cpc&utm_campaign=brand",
    "utm_source=partner&utm_medium=referral&utm_campaign=deals",
)
CAMPAIGN_SHARE = 0.15
CURRENCIES = {"DE": "EUR", "FR": "EUR", "NL": "EUR", "GB": "GBP"}
SCREENS = {"Home": 30, "Search": 16, "Category": 18, "Product": 24, "Cart": 6, "Account": 4, "Settings": 2}
CRASHES = ("NullPointerException", "OutOfMemoryError", "ANR", "SIGSEGV")

WEB_STEPS = {"page_view": 68, "click": 15, "search": 5, "add_to_cart": 6, "purchase": 4, "sign_up": 1, "outbound": 1}
MOBILE_STEPS = {"screen_view": 56, "screen_time": 20, "tap": 14, "add_to_cart": 4, "purchase": 3, "sign_up": 1}
SERVER_STEPS = {"email_sent": 50, "order_shipped": 22, "invoice_paid": 20, "refund_issued": 3, "stock_checked": 5}
CRASH_SHARE = 0.006
MEAN_STEPS = {"web": 5.5, "mobile": 8.0, "server": 1.5}


@dataclass(slots=True)
class Session:
    """One person's run of events. `steps_left` counts down; `signed_up` is shared by all sessions of the flow."""

    person: Person
    source: SyntheticSource
    session_id: str
    steps_left: int
    signed_up: set[int]
    is_first_step: bool = True
    page: str = "/"
    screen: str = "Home"
    cart: list[float] = field(default_factory=list)

    @property
    def is_known(self) -> bool:
        """Whether the shop knows who this is."""
        return self.person.is_member or self.person.rank in self.signed_up


def next_step(rng: random.Random, session: Session) -> Fields:
    """The session's next event without id and time, in the contract's field names."""
    event = _STEPS[session.source](rng, session)
    session.is_first_step = False
    session.steps_left -= 1
    return _identity(session) | event


def session_length(rng: random.Random, source: SyntheticSource) -> int:
    """Events of a new session: often one, rarely many."""
    return max(1, round(rng.expovariate(1 / MEAN_STEPS[source])))


def _identity(session: Session) -> Fields:
    person = session.person
    if session.source == "server":
        return {"source": "server", "user_id": person.user_id, "country": person.country}
    device_type, os, browser = person.phone if session.source == "mobile" else person.device
    fields: Fields = {
        "source": session.source,
        "anonymous_id": person.anonymous_id,
        "session_id": session.session_id,
        "country": person.country,
        "device_type": device_type,
        "os": os,
    }
    if session.is_known:
        fields["user_id"] = person.user_id
    if session.source == "web":
        fields["browser"] = browser
    else:
        fields |= {"app_version": person.app_version, "sdk_version": "2.4.0"}
    return fields


def _web(rng: random.Random, session: Session) -> Fields:
    step = "page_view" if session.is_first_step else choose(rng, WEB_STEPS)
    if step == "page_view":
        return _page_view(rng, session)
    event = _shared_step(rng, session, step) or {"event_type": "click", "properties": {"element": "menu"}}
    return event | {"page_url": SITE + session.page}


def _page_view(rng: random.Random, session: Session) -> Fields:
    session.page = _page(rng)
    event: Fields = {"event_type": "page_view", "page_url": SITE + session.page, "page_title": _title(session.page)}
    if session.is_first_step:
        if rng.random() < CAMPAIGN_SHARE:
            event["page_url"] += "?" + rng.choice(CAMPAIGNS)
        if referrer := choose(rng, REFERRERS):
            event["referrer"] = referrer
    return event


def _page(rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.22:
        return "/"
    if kind < 0.42:
        return f"/category/{CATEGORIES[popular(rng, len(CATEGORIES))]}"
    if kind < 0.82:
        return f"/products/{popular(rng, PRODUCTS) + 1}"
    return rng.choice(("/cart", "/checkout", "/about")) if kind < 0.88 else f"/blog/{popular(rng, ARTICLES) + 1}"


def popular(rng: random.Random, size: int) -> int:
    """A rank below `size` by Zipf's law with exponent 1: rank k is drawn in proportion to 1 / (k + 1)."""
    return int((size + 1) ** rng.random()) - 1


def _title(page: str) -> str:
    return page.strip("/").replace("/", " ").capitalize() or "Home"


def _mobile(rng: random.Random, session: Session) -> Fields:
    if rng.random() < CRASH_SHARE:
        session.steps_left = 1
        return {"event_type": "crash", "properties": {"error": rng.choice(CRASHES), "screen": session.screen}}
    step = "screen_view" if session.is_first_step else choose(rng, MOBILE_STEPS)
    if step == "screen_view":
        session.screen = choose(rng, SCREENS)
        return {"event_type": step, "page_url": f"/{session.screen.lower()}", "page_title": session.screen}
    if step == "screen_time":
        duration_ms = round(rng.lognormvariate(9.2, 1.0))
        return {"event_type": step, "duration_ms": duration_ms, "properties": {"screen": session.screen}}
    event = _shared_step(rng, session, step) or {"event_type": "tap"}
    return event | {"properties": event.get("properties", {}) | {"screen": session.screen}}


def _shared_step(rng: random.Random, session: Session, step: str) -> Fields | None:
    """Steps that web and mobile have in common; None where the step is not possible now."""
    if step == "add_to_cart" or (step == "purchase" and not session.cart):
        product = popular(rng, PRODUCTS) + 1
        price = round(4.5 + product % 37 * 3.1, 2)
        session.cart.append(price)
        return {"event_type": "add_to_cart", "properties": {"product_id": product, "price": price}}
    if step == "purchase":
        return _purchase(rng, session)
    if step == "sign_up" and not session.is_known:
        # From here on the events carry both ids: what stitching works on.
        session.signed_up.add(session.person.rank)
        return {"event_type": "sign_up", "user_id": session.person.user_id, "properties": {"method": "email"}}
    if step == "search":
        return {"event_type": "search", "properties": {"query": CATEGORIES[popular(rng, len(CATEGORIES))]}}
    if step == "outbound":
        return {"event_type": "click", "event_name": "outbound_link", "properties": {"to": "https://partner.example/"}}
    return None


def _purchase(rng: random.Random, session: Session) -> Fields:
    revenue, items = round(sum(session.cart), 2), len(session.cart)
    session.cart.clear()
    properties = {
        "order_id": f"order-{rng.getrandbits(48):012x}",
        "revenue": revenue,
        "currency": CURRENCIES.get(session.person.country, "USD"),
        "items": items,
    }
    return {"event_type": "purchase", "properties": properties}


def _server(rng: random.Random, session: Session) -> Fields:
    return {"event_type": choose(rng, SERVER_STEPS), "properties": {"job": session.session_id}}


_STEPS: dict[SyntheticSource, Callable[[random.Random, Session], Fields]] = {
    "web": _web,
    "mobile": _mobile,
    "server": _server,
}

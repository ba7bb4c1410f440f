"""What a User-Agent says of a client: device, operating system, browser, and whether it is a bot."""

import re
from functools import lru_cache

from ua_parser import Parser, Result
from ua_parser.loaders import load_lazy_builtins
from ua_parser.regex import Resolver

# Longer agents are cut before they are matched: a header may hold 8 KB, and no rule needs more than this.
MAX_LENGTH = 512

# A bot is what ua-parser calls a Spider, what introduces itself by one of these words, or what leaves the address of
# its operator, as well-behaved robots do (RFC 9309, section 2.2.1). Browsers do none of these; CUBOT makes phones.
_BOT = re.compile(
    r"(?<!cu)bot(?:\b|_)|\brobo|crawl|spider|slurp|scrap(?:er|y)|archiver|monitor|validator|preview|headless"
    r"|fetcher|fetch/|feed|\brss|rss\b|subscribers|aggregator|embedly|explorer/|\bseo\b"
    r"|\+\s?https?://|\w@[\w-]+\.\w",
    re.IGNORECASE,
)
# HTTP libraries and tools. They carry server events, so they are automated but not bots; a page that they fetch from
# a web server was not seen by a person either.
_LIBRARY = re.compile(
    r"(?:curl|wget|httpie|postmanruntime|insomnia|python|aiohttp|okhttp|go-http-client|java|jakarta|apache-httpclient"
    r"|axios|node|undici|got|guzzlehttp|http_request2|php|ruby|faraday|lwp|libwww-perl|perl|dart|ktor|cfnetwork|reqwest"
    r"|hyper|rust|microsoft office|eventmill|segment|analytics-(?:python|node|go|ruby|java|php))(?:[^a-z]|$)",
    re.IGNORECASE,
)
_BROWSER = re.compile(r"(?:Mozilla|Opera)[/ ]")
_TV = re.compile(r"smart-?tv|appletv|\btv\b|roku|bravia|hbbtv|crkey", re.IGNORECASE)
_TABLET = re.compile(r"ipad|tablet|kindle|playbook|silk/", re.IGNORECASE)
_MOBILE = re.compile(r"mobi|iphone|ipod|phone|blackberry|symbian|j2me|midp|opera mini", re.IGNORECASE)
_DESKTOP_SYSTEMS = re.compile(r"Windows|Mac OS X|Linux|Ubuntu|Fedora|Debian|CentOS|BSD|Chrome OS|Solaris|SUSE|Red Hat")


def client_of(user_agent: str | None, *, from_access_log: bool = False) -> dict[str, str | bool]:
    """What is known of a client, under the event's field names: source, device_type, os, browser, is_bot.

    Unknown fields are left out. `source` is `web` for browsers only. `device_type` is desktop, mobile, tablet, tv or
    bot. HTTP libraries (curl, python-requests, …) and clients without an agent count as bots only in an access log
    (`from_access_log`): through the gateway they send a server's own events.
    """
    agent = (user_agent or "").strip()[:MAX_LENGTH]
    if agent in {"", "-"}:
        return {"is_bot": True, "device_type": "bot"} if from_access_log else {}
    return dict(_client_of(agent, from_access_log))


@lru_cache(maxsize=8_192)
def _client_of(agent: str, from_access_log: bool) -> dict[str, str | bool]:
    parsed = _parser().parse(agent)
    is_library = _LIBRARY.match(agent) is not None
    is_bot = from_access_log if is_library else _is_bot(agent, parsed)
    client: dict[str, str | bool] = {"is_bot": is_bot}
    if _BROWSER.match(agent):
        client["source"] = "web"
    if device_type := "bot" if is_bot else _device_type(agent, parsed):
        client["device_type"] = device_type
    if parsed.os is not None:
        client["os"] = parsed.os.family
    if parsed.user_agent is not None and not is_library:
        client["browser"] = parsed.user_agent.family
    return client


@lru_cache(maxsize=1)
def _parser() -> Parser:
    # Built at the first agent, not at import: compiling the rules takes a quarter of a second.
    return Parser(Resolver(load_lazy_builtins()))


def _is_bot(agent: str, parsed: Result) -> bool:
    is_spider = parsed.device is not None and parsed.device.family == "Spider"
    return is_spider or _BOT.search(agent) is not None


def _device_type(agent: str, parsed: Result) -> str | None:
    system = parsed.os.family if parsed.os is not None else ""
    if _TV.search(agent):
        return "tv"
    # Android tablets are told from phones by the missing word «Mobile» [Google's advice to site owners].
    if _TABLET.search(agent) or (system == "Android" and not _MOBILE.search(agent)):
        return "tablet"
    if _MOBILE.search(agent) or system in {"Android", "iOS"}:
        return "mobile"
    return "desktop" if _DESKTOP_SYSTEMS.search(system) else None

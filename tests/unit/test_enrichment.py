"""What a User-Agent tells, and what it must not."""

import pytest

from eventmill.enrichment import client_of

CHROME_ON_MAC = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/142.0.0.0 Safari/537.36"
)
SAFARI_ON_IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.1 Mobile/15E148 Safari/604.1"
)
ANDROID = "Mozilla/5.0 (Linux; Android 14; {model}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 {mobile}"
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
LIBRARIES = [
    "curl/8.9.1",
    "python-httpx/0.28.1",
    "python-requests/2.32",
    "Python-urllib/3.11",
    "okhttp/4.12.0",
    "Go-http-client/2.0",
    "eventmill/0.1.0",
    "node",
    "Java/17.0.2",
    "GuzzleHttp/7",
]


def test_a_browser_names_its_device_system_and_source() -> None:
    assert client_of(CHROME_ON_MAC) == {
        "source": "web",
        "device_type": "desktop",
        "os": "Mac OS X",
        "browser": "Chrome",
        "is_bot": False,
    }
    assert client_of(SAFARI_ON_IPHONE)["device_type"] == "mobile"
    assert client_of(SAFARI_ON_IPHONE)["os"] == "iOS"


def test_an_android_without_mobile_is_a_tablet() -> None:
    tablet = ANDROID.format(model="SM-X910", mobile="Safari/537.36")
    assert client_of(tablet)["device_type"] == "tablet"
    assert client_of(ANDROID.format(model="Pixel 8", mobile="Mobile Safari/537.36"))["device_type"] == "mobile"


@pytest.mark.parametrize(
    "agent",
    [
        GOOGLEBOT,
        "Mozilla/5.0 (compatible; Ezooms/1.0; help@moz.com)",
        "UniversalFeedParser/4.2-pre-314-svn +http://feedparser.org/",
        "Feedbin - 1 subscribers",
        "eZ Publish Link Validator",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/142.0 Safari/537.36",
    ],
)
def test_what_introduces_itself_as_a_robot_is_a_bot(agent: str) -> None:
    assert client_of(agent)["is_bot"] is True
    assert client_of(agent)["device_type"] == "bot"


def test_a_phone_called_cubot_is_no_bot() -> None:
    assert client_of(ANDROID.format(model="CUBOT X18", mobile="Mobile Safari/537.36"))["is_bot"] is False


@pytest.mark.parametrize("agent", LIBRARIES)
def test_an_http_library_is_a_bot_only_in_an_access_log(agent: str) -> None:
    assert client_of(agent) == {"is_bot": False}
    assert client_of(agent, from_access_log=True)["is_bot"] is True


@pytest.mark.parametrize("agent", [None, "", "-", "  "])
def test_a_missing_agent_says_nothing_except_in_an_access_log(agent: str | None) -> None:
    assert client_of(agent) == {}
    assert client_of(agent, from_access_log=True)["is_bot"] is True


def test_an_answer_can_be_changed_without_changing_the_next_one() -> None:
    client_of(CHROME_ON_MAC)["browser"] = "changed"
    assert client_of(CHROME_ON_MAC)["browser"] == "Chrome"


def test_an_endless_agent_is_cut() -> None:
    assert client_of("x" * 1_000_000) == {"is_bot": False}

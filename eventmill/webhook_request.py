"""One post to a webhook: signed, bounded in time, and never to a private address where that is not wanted."""

import asyncio
import base64
import hashlib
import hmac
import ipaddress
import json
import socket
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import httpx

from eventmill.control.webhooks import SIGNING_PREFIX, Webhook

CONNECT_SECONDS = 3.0
TOTAL_SECONDS = 8.0
# Bad Request, Gone, Content Too Large, Unsupported Media Type, Unprocessable Content: the same body fails again.
FINAL = frozenset({400, 410, 413, 415, 422})


class DeliveryError(Exception):
    """The receiver did not take it. `message` names neither address nor answer; `is_final`: it never will."""

    def __init__(self, message: str, *, is_final: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.is_final = is_final


async def post(
    webhook: Webhook, delivery_id: str, body: Mapping[str, Any], now: datetime, *, may_be_private: bool
) -> None:
    """Post `body` and return once a 2xx came, within 8 s. Raises DeliveryError. Redirects are not followed."""
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    headers = {"content-type": "application/json", "user-agent": "eventmill", "webhook-id": delivery_id}
    timestamp = str(int(now.timestamp()))
    headers["webhook-timestamp"] = timestamp
    if webhook.secret is not None:
        headers["webhook-signature"] = signature(webhook.secret, delivery_id, timestamp, content)
    try:
        async with asyncio.timeout(TOTAL_SECONDS):
            response = await _send(webhook.url, content, headers, may_be_private=may_be_private)
    except (httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError) as error:
        # The exception's own text may hold the address.
        raise DeliveryError(type(error).__name__) from None
    if not response.is_success:
        raise DeliveryError(f"answered {response.status_code}", is_final=response.status_code in FINAL)


def signature(secret: str, delivery_id: str, timestamp: str, content: bytes) -> str:
    """Value of `webhook-signature`: HMAC-SHA256 of "id.timestamp.body" (https://www.standardwebhooks.com)."""
    key = base64.b64decode(secret.removeprefix(SIGNING_PREFIX))
    signed = hmac.new(key, f"{delivery_id}.{timestamp}.".encode() + content, hashlib.sha256).digest()
    return "v1," + base64.b64encode(signed).decode()


async def _send(url: str, content: bytes, headers: dict[str, str], *, may_be_private: bool) -> httpx.Response:
    extensions: dict[str, Any] = {}
    if not may_be_private:
        named = urlsplit(url)
        headers = headers | {"host": named.netloc}
        extensions = {"sni_hostname": named.hostname}
        url = await _by_number(url)
    # No proxy and no credentials from the environment: a body goes where the webhook says.
    timeout = httpx.Timeout(TOTAL_SECONDS, connect=CONNECT_SECONDS)
    async with httpx.AsyncClient(timeout=timeout, trust_env=False) as client:
        request = client.build_request("POST", url, content=content, headers=headers, extensions=extensions)
        # The answer's body says nothing to us, however long it is.
        response = await client.send(request, stream=True)
        await response.aclose()
        return response


async def _by_number(url: str) -> str:
    """The address with its host as a number, checked to be public, so that a name cannot change in between."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    found = await asyncio.get_running_loop().getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    addresses = [ipaddress.ip_address(str(entry[4][0]).split("%")[0]) for entry in found]
    if not all(address.is_global and not address.is_multicast for address in addresses):
        raise DeliveryError("the host is in a private network: EVENTMILL_WEBHOOK_PRIVATE_ADDRESSES=1 allows that")
    first = addresses[0]
    host = f"[{first}]" if first.version == 6 else str(first)
    return parts._replace(netloc=f"{host}:{port}").geturl()

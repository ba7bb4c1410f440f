"""The JetStream stream of envelopes: connect, create, publish. No business rules."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import nats.errors
import structlog
from nats.aio.client import Client
from nats.aio.subscription import Subscription
from nats.js import JetStreamContext, api
from nats.js import errors as js_errors

from eventmill.contracts import subjects
from eventmill.errors import EventmillError, NotReadyError, VersionError
from eventmill.settings import Settings

log = structlog.get_logger(__name__)

ErrorCallback = Callable[[Exception], Awaitable[None]]

CONFIG_VERSION = 1
_CONFIG_KEY = "eventmill.config"
MAX_MESSAGE_BYTES = 2 * 1024 * 1024
DUPLICATE_WINDOW_SECONDS = 120
STORAGE_FULL = 10077  # JetStream's code for «maximum bytes exceeded»


class StreamFullError(EventmillError):
    """The stream has reached its size: nothing old is dropped, so nothing new is taken."""


class PublishError(EventmillError):
    """The broker did not confirm a message in time. It may have stored it: retry with the same message id."""


@dataclass(frozen=True, slots=True)
class StreamIdentity:
    """Which stream this is (its creation time) and how far it reaches."""

    created_at: datetime
    first_seq: int
    last_seq: int


# Subject, reply subject, body and raw headers (None without any) of a message.
Receive = Callable[[bytes, bytes, bytes, bytes | None], None]


class StreamClient(Client):
    """nats-py's client, which any publisher's bytes leave listening.

    A subject or a status line that is not UTF-8 ends the original's read loop, and with it for ever whoever reads the
    stream in order. And the messages of a subscription can be diverted: at one event a message, nats-py's queue, task
    and message object cost more than decoding the event. These are private methods of nats-py 2.16: `test_writer.py`
    tells when they change.
    """

    def __init__(self) -> None:
        super().__init__()
        self._diverted: dict[int, Receive] = {}

    def divert(self, subscription: Subscription, receive: Receive) -> None:
        """Have `receive` called with each message of the subscription as it comes, in its order, instead of anything
        else; it must be quick and must not raise."""
        self._diverted[subscription._id] = receive  # noqa: SLF001 - it has no public name

    async def headers_of(self, raw: bytes | None) -> dict[str, str]:
        """Headers of a diverted message; empty where they are not of NATS' form."""
        return await self._process_headers(raw) or {} if raw else {}

    def _remove_sub(self, sid: int, max_msgs: int = 0) -> None:
        self._diverted.pop(sid, None)
        super()._remove_sub(sid, max_msgs)

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes) -> None:
        receive = self._diverted.get(sid)
        if receive is None:
            await super()._process_msg(sid, subject, reply, data, headers)
        else:
            receive(subject, reply, data, headers)

    def _build_message(self, sid: int, subject: bytes, *message: Any) -> Any:
        return super()._build_message(sid, subject.decode("utf-8", "replace").encode(), *message)

    async def _process_headers(self, headers: bytes) -> dict[str, str] | None:
        try:
            return await super()._process_headers(headers)
        except (UnicodeDecodeError, IndexError):
            return None


async def connect(settings: Settings, name: str, **options: Any) -> StreamClient:
    """Connect, and from then on keep reconnecting for ever.

    Raises NotReadyError where the broker cannot be reached at first, or refuses the key.
    """
    client, errors = StreamClient(), _Errors(options.pop("error_cb", None))
    arguments: dict[str, Any] = {
        "name": name,
        "connect_timeout": 2,
        "reconnect_time_wait": 0.25,
        # nats-py counts the first connection's attempts too: with -1 it would never say that there is no broker.
        "max_reconnect_attempts": 1,
        # The default (2 × 120 s) would not notice a frozen broker for minutes.
        "ping_interval": 5,
        "max_outstanding_pings": 2,
        "allow_reconnect": True,
        "error_cb": errors.note,
    }
    if settings.nats_services_seed_file is not None:
        arguments["nkeys_seed"] = str(settings.nats_services_seed_file)
    try:
        await client.connect(settings.nats_address, **(arguments | options))
    except (OSError, nats.errors.Error, TimeoutError) as error:
        await client.close()  # one that was refused still holds its socket
        raise _not_ready(errors.first or error) from error
    client.options["max_reconnect_attempts"] = -1
    errors.is_connected = True
    return client


class _Errors:
    """What nats-py reports: noted until the first connection stands, then passed on, or logged without a traceback."""

    def __init__(self, pass_on: ErrorCallback | None) -> None:
        self._pass_on = pass_on
        self.is_connected = False
        self.first: Exception | None = None

    async def note(self, error: Exception) -> None:
        if not self.is_connected:
            self.first = self.first or error
        elif self._pass_on is not None:
            await self._pass_on(error)
        else:
            log.warning("connection to the broker", error=str(error) or type(error).__name__)


def _not_ready(error: Exception) -> NotReadyError:
    reason = str(error) or type(error).__name__
    if "authorization" in reason.lower():
        hint = "EVENTMILL_NATS_SEED_FILE names the key of an external broker; docs/nats.md explains it."
        return NotReadyError(f"NATS refuses the key: {reason}", hint)
    hint = "Is it running? `eventmill status` tells; EVENTMILL_NATS_URL names an external one."
    return NotReadyError(f"NATS does not answer: {reason}", hint)


def stream_config(settings: Settings) -> api.StreamConfig:
    """Configuration of the stream of envelopes; a full one answers publishers instead of dropping old messages."""
    return api.StreamConfig(
        name=subjects.STREAM,
        subjects=subjects.SUBJECTS,
        storage=api.StorageType.FILE,
        retention=api.RetentionPolicy.LIMITS,
        discard=api.DiscardPolicy.NEW,
        max_bytes=settings.stream_max_bytes,
        max_msg_size=MAX_MESSAGE_BYTES,
        duplicate_window=DUPLICATE_WINDOW_SECONDS,
        allow_atomic=True,
        allow_direct=True,
        metadata={_CONFIG_KEY: str(CONFIG_VERSION)},
    )


async def ensure_stream(js: JetStreamContext, settings: Settings) -> StreamIdentity:
    """Create the stream, or bring its configuration up to date. Raises VersionError for a newer configuration."""
    config = stream_config(settings)
    try:
        info = await js.stream_info(subjects.STREAM)
    except js_errors.NotFoundError:
        return _identity(await js.add_stream(config))
    version = int((info.config.metadata or {}).get(_CONFIG_KEY, "0"))
    if version > CONFIG_VERSION:
        raise VersionError(
            f"Stream {subjects.STREAM} has configuration {version}; this program knows up to {CONFIG_VERSION}.",
            "Start the newer eventmill again.",
        )
    if version < CONFIG_VERSION or info.config.max_bytes != config.max_bytes:
        info = await js.update_stream(config)
    return _identity(info)


async def identify_stream(js: JetStreamContext) -> StreamIdentity:
    """Which stream there is. Raises NotReadyError where it does not exist or the broker does not answer."""
    try:
        return _identity(await js.stream_info(subjects.STREAM))
    except js_errors.NotFoundError:
        raise NotReadyError(f"Stream {subjects.STREAM} does not exist.", "Run `eventmill migrate`.") from None
    except (nats.errors.Error, js_errors.Error, TimeoutError) as error:
        raise NotReadyError(f"JetStream does not answer: {error or type(error).__name__}") from error


def _identity(info: api.StreamInfo) -> StreamIdentity:
    created = info.created
    if created is None:
        raise NotReadyError("The broker does not say when its stream was created.", "eventmill needs NATS ≥ 2.11.")
    return StreamIdentity(created.astimezone(UTC), int(info.state.first_seq), int(info.state.last_seq))


async def publish_envelope(
    js: JetStreamContext, app_id: str, body: bytes, headers: Mapping[str, str], budget_seconds: float = 1.8
) -> api.PubAck:
    """Publish one envelope and wait until the broker has stored it.

    Tries again within `budget_seconds` under the same `Nats-Msg-Id`, so the broker stores it once. Raises
    StreamFullError, or PublishError where no confirmation came in time.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + budget_seconds
    subject = subjects.subject_for(app_id)
    reason = "no answer"
    while (left := deadline - loop.time()) > 0:
        try:
            async with asyncio.timeout(left):
                return await js.publish(
                    subject, body, timeout=min(left, 0.8), stream=subjects.STREAM, headers=dict(headers)
                )
        except js_errors.APIError as error:
            if error.err_code == STORAGE_FULL:
                raise StreamFullError("The event stream is full.", "Raise EVENTMILL_STREAM_MAX_BYTES.") from error
            reason = error.description or str(error)
        except (nats.errors.Error, js_errors.Error, TimeoutError) as error:
            reason = str(error) or type(error).__name__
        await asyncio.sleep(min(0.05, max(0.0, deadline - loop.time())))
    raise PublishError(f"The broker did not confirm the events: {reason}", "Send them again with the same ids.")


async def is_sync_always(settings: Settings) -> bool | None:
    """Whether the broker fsyncs before it confirms; None where its monitoring address is unknown."""
    if settings.nats_monitor_address is None:
        return None
    async with httpx.AsyncClient(timeout=2) as client:
        response = await client.get(f"{settings.nats_monitor_address}/jsz", params={"config": "1"})
    response.raise_for_status()
    return bool(response.json().get("config", {}).get("sync_always", False))

"""Wires live numbers together: the stream's reader, the windows, and those who follow questions."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry

from eventmill import telemetry
from eventmill.contracts import metrics
from eventmill.settings import Settings
from query_service.live.overview import LiveOverview
from query_service.live.reader import StreamReader
from query_service.live.service import LiveWindows, bounds_of
from query_service.query.path import QueryPath
from query_service.websocket.hub import Hub
from query_service.websocket.questions import Questions

Listener = Callable[[str, bytes], None]


class LiveService:
    """`windows` answer from memory, `overview` sums them up, `hub` and `questions` serve those who follow."""

    def __init__(self, settings: Settings, windows: LiveWindows, path: QueryPath) -> None:
        self.windows = windows
        self.overview = LiveOverview(windows, lambda app_id: path.today({"app_id": app_id}, (app_id,)))
        self.hub = Hub()
        self.questions = Questions(path, self.overview)
        self._listeners: set[Listener] = set()
        self._reader = StreamReader(settings, windows, self._note_update, self._pass_on)
        windows.listen(self.hub.note_events)

    def start(self) -> None:
        """Begin to read the stream; waits for nobody."""
        self._reader.start()

    async def stop(self) -> None:
        """End all connections, and reading."""
        self.hub.close()
        await self._reader.stop()

    def _note_update(self, app_id: str) -> None:
        self.overview.note_update(app_id)
        self.hub.note_update(app_id)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Have `listener` called with app and JSON of every update of aggregates; what is returned ends it."""
        self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)

    def _pass_on(self, app_id: str, body: bytes) -> None:
        for listener in list(self._listeners):
            listener(app_id, body)

    def expose(self, registry: CollectorRegistry) -> None:
        """Add the metrics of windows and connections."""
        windows, hub = self.windows, self.hub
        for definition, value in (
            (metrics.QUERY_LIVE_ROWS, lambda: windows.rows),
            (metrics.QUERY_LIVE_BYTES, lambda: windows.bytes),
            (metrics.QUERY_LIVE_LAG_SECONDS, lambda: windows.lag_seconds),
            (metrics.QUERY_LIVE_CLIENTS, lambda: hub.clients),
            (metrics.QUERY_LIVE_SUBSCRIPTIONS, lambda: hub.subscriptions),
            (metrics.QUERY_LIVE_TOPICS, lambda: hub.topics),
        ):
            telemetry.gauge(definition, registry).set_function(value)
        hub.dropped = telemetry.counter(metrics.QUERY_LIVE_DROPPED, registry)


def live_windows(settings: Settings) -> LiveWindows:
    """Empty windows within the bounds of the settings."""
    return LiveWindows(bounds_of(settings.live_max_rows, settings.live_max_mb))

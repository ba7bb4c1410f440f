"""The one way in: from raw events to envelopes on the broker's disk, and back to one answer an event."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache

from prometheus_client import CollectorRegistry

from eventmill import telemetry
from eventmill.contracts import metrics
from eventmill.contracts.limits import MAX_REQUEST_EVENTS
from eventmill.control.credentials import Credential
from eventmill.control.key_cache import KeyCache
from eventmill.enrichment import client_of
from eventmill.settings import Settings
from ingest_service.gateway.answers import EventAnswer, answer_event
from ingest_service.gateway.auth import authorize, key_of
from ingest_service.gateway.body import EVENTS_RULE
from ingest_service.gateway.cors import check_origin
from ingest_service.gateway.group_commit import GroupCommit
from ingest_service.gateway.intake import Envelope, Judged, RequestFacts, take_in
from ingest_service.gateway.problems import Problem, too_large
from ingest_service.gateway.rates import Rates
from ingest_service.gateway.recent import RecentIds
from ingest_service.gateway.request import IngestRequest
from ingest_service.gateway.visitors import Visitors


class Intake:
    """What every endpoint that takes events calls: `authorize`, then `accept`."""

    def __init__(
        self, settings: Settings, keys: KeyCache, visitors: Visitors, group: GroupCommit, registry: CollectorRegistry
    ) -> None:
        self._keys, self._visitors, self._group = keys, visitors, group
        self._history_start = datetime.combine(settings.history_start, datetime.min.time(), UTC)
        self._recent = RecentIds()
        self._rates = Rates()
        self._events = cache(telemetry.counter(metrics.GATEWAY_EVENTS, registry).labels)
        self._limited = telemetry.counter(metrics.GATEWAY_RATE_LIMITED, registry)
        self._quarantined = cache(telemetry.counter(metrics.GATEWAY_QUARANTINED, registry).labels)

    async def authorize(self, request: IngestRequest, *, key: str | None = None, history: bool = False) -> Credential:
        """The credential of `key`, or else of the key that the request carries in one of the usual places.

        Raises Problem 401 or 403 (the key, or the page's origin); NotReadyError where nobody can tell.
        """
        key = key or key_of(request.headers, request.parameters)
        credential = await authorize(self._keys, key, history=history)
        check_origin(request.headers, credential)
        return credential

    async def accept(
        self,
        credential: Credential,
        events: Sequence[bytes],
        request: IngestRequest,
        *,
        app_id: str | None = None,
        history: bool = False,
    ) -> list[EventAnswer]:
        """Judge and store raw events (JSON, one each), and answer each, in order, once the broker confirmed them all.

        `app_id` takes those that name no app. Raises Problem 400, 403, 413 or 429; NotReadyError, StreamFullError or
        PublishError where nothing was acknowledged.
        """
        if len(events) > MAX_REQUEST_EVENTS:
            raise too_large(f"The body holds {len(events):,} events.", EVENTS_RULE)
        if app_id is not None and app_id not in credential.apps:
            rule = "The query parameter app_id is one of the key's apps."
            raise Problem(403, "Forbidden", f"The key does not cover app {app_id[:63]!r}.", field="app_id", rule=rule)
        if len(credential.apps) == 1:
            request.rate_headers = self._take(dict.fromkeys(credential.apps, len(events)), credential)
        await self._visitors.renew(request.received_at.date())
        facts = self._facts(request, credential, app_id, history=history)
        envelopes, verdicts = take_in(events, facts)
        if len(credential.apps) > 1:
            request.rate_headers = self._take(Counter(verdict.app_id for verdict in verdicts), credential)
        answers = self._answer_events(verdicts)
        stored_ids = _stored_ids(verdicts)
        # While the broker works, a request holds its lines and its answers, and nothing else of its size.
        del events, verdicts
        if len(envelopes) == 1:
            await self._commit(envelopes.pop(), stored_ids, request.deadline)
        else:
            await asyncio.gather(*(self._commit(envelope, stored_ids, request.deadline) for envelope in envelopes))
        self._count(answers)
        return answers

    def _take(self, counts: Mapping[str, int], credential: Credential) -> dict[str, str]:
        try:
            return self._rates.take(counts, credential.apps)
        except Problem:
            for app_id, count in counts.items():
                self._limited.labels(app_id).inc(count)
            raise

    def _facts(
        self, request: IngestRequest, credential: Credential, app_id: str | None, *, history: bool
    ) -> RequestFacts:
        user_agent = request.headers.get("user-agent", "")
        address = request.address
        defaults = client_of(user_agent)
        if request.country is not None:
            defaults["country"] = request.country
        return RequestFacts(
            apps=credential.apps,
            default_app=app_id,
            received_at=request.received_at,
            history=history,
            history_start=self._history_start,
            defaults=defaults,
            visitor_id=lambda app: self._visitors.id_of(app, address, user_agent),
            address=address,
        )

    def _answer_events(self, verdicts: list[Judged]) -> list[EventAnswer]:
        answers: list[EventAnswer] = []
        here: set[tuple[str, str]] = set()
        keys = [(verdict.app_id, verdict.event_id or "") for verdict in verdicts]
        for verdict, key, is_known in zip(verdicts, keys, self._recent.known(keys), strict=True):
            is_duplicate = verdict.event_id is not None and (is_known or key in here)
            if verdict.refused is None:
                here.add(key)
            answers.append(answer_event(verdict.refused, verdict.event_id, is_duplicate=is_duplicate))
        return answers

    async def _commit(self, envelope: Envelope, stored_ids: Mapping[str, list[str]], deadline: float) -> None:
        app_id = envelope.context.app_id
        await self._group.commit(envelope, deadline)
        # Only now: after a 503 the client's next try is no duplicate.
        self._recent.add([(app_id, event_id) for event_id in stored_ids.get(app_id, ())])

    def _count(self, answers: list[EventAnswer]) -> None:
        counts: dict[tuple[str, str | None], int] = {}
        for answer in answers:
            key = (answer.status, answer.reason)
            counts[key] = counts.get(key, 0) + 1
        for (status, reason), count in counts.items():
            self._events(status).inc(count)
            if status == "quarantined":
                self._quarantined(str(reason)).inc(count)


def _stored_ids(verdicts: Sequence[Judged]) -> dict[str, list[str]]:
    """Ids of the events that will be in the lake, by app."""
    found: dict[str, list[str]] = {}
    for verdict in verdicts:
        if verdict.event_id and verdict.is_good:
            found.setdefault(verdict.app_id, []).append(verdict.event_id)
    return found

"""The person's envelopes in the stream: those that the lake holds already are deleted, and overwritten on the disk."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import nats.errors
from nats.js import JetStreamContext, api
from nats.js import errors as js_errors

from eventmill import committed, lake, stream
from eventmill.contracts.subjects import STREAM, subject_for
from eventmill.erasure.person import Person
from eventmill.errors import NotReadyError
from eventmill.settings import Settings

_BATCH = 200
_SECONDS = 2.0
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class StreamErasure:
    """The person in the app's messages. Whoever else is in such an envelope loses nothing: the lake has the events."""

    settings: Settings
    person: Person

    async def settle(self) -> None:
        """Return when the lake holds every envelope that was in the stream. Raises NotReadyError where it does not."""
        client = await stream.connect(self.settings, "eventmill erase")
        try:
            identity = await stream.identify_stream(client.jetstream())
        finally:
            await client.close()
        if identity.last_seq >= identity.first_seq:
            await committed.wait_until_committed(
                self.settings, identity.created_at, identity.last_seq, patience_seconds=PATIENCE_SECONDS
            )

    async def count(self) -> int:
        """Messages that name the person, stored in the lake or not."""
        return await self._each(erase=False)

    async def erase(self) -> int:
        """Delete the messages that name the person and lie in the lake; returns how many."""
        return await self._each(erase=True)

    async def _each(self, *, erase: bool) -> int:
        client = await stream.connect(self.settings, "eventmill erase")
        try:
            jetstream = client.jetstream()
            identity = await stream.identify_stream(jetstream)
            events = lake.LakeTable(lake.lake_directory(self.settings), lake.EVENTS)
            through = events.transaction_version(lake.transaction_id(identity.created_at)) or 0
            found = [sequence async for sequence in self._naming(jetstream) if not erase or sequence <= through]
            for sequence in found if erase else ():
                await jetstream.delete_msg(STREAM, sequence)
            return len(found)
        except (nats.errors.Error, js_errors.Error, TimeoutError) as error:
            raise NotReadyError(f"The stream could not be read: {str(error) or type(error).__name__}") from error
        finally:
            await client.close()

    async def _naming(self, jetstream: JetStreamContext) -> AsyncIterator[int]:
        """Sequences of the messages that name the person, in order."""
        subscription = await jetstream.pull_subscribe(
            subject_for(self.person.app_id),
            stream=STREAM,
            config=api.ConsumerConfig(ack_policy=api.AckPolicy.NONE, deliver_policy=api.DeliverPolicy.ALL),
        )
        try:
            left = (await subscription.consumer_info()).num_pending or 0
            while left > 0:
                for message in await subscription.fetch(min(_BATCH, left), timeout=_SECONDS):
                    left -= 1
                    if self.person.is_in(message.data):
                        yield message.metadata.sequence.stream
        finally:
            await subscription.unsubscribe()

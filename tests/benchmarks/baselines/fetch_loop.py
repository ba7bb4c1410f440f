"""A nats-py fetch loop that does nothing: no decoding, no acknowledgement, nothing kept.

`python -m tests.benchmarks.baselines.fetch_loop NATS STREAM SUBJECT MESSAGES WARM_UP` prints
`{"events": …, "seconds": …}` of the messages after the warm-up. Its consumer needs no acknowledgements and is kept in
the broker's memory, as the writer's is.
"""

import json
import sys
import time

import nats
import uvloop
from nats.js import api

BATCH = 500


async def loop(address: str, stream: str, subject: str, messages: int, warm_up: int) -> tuple[int, float]:
    """Messages after the warm-up, and their seconds."""
    client = await nats.connect(address)
    config = api.ConsumerConfig(ack_policy=api.AckPolicy.NONE, mem_storage=True, inactive_threshold=60)
    subscription = await client.jetstream().pull_subscribe(subject, stream=stream, config=config)
    done, started_with, started_at = 0, 0, 0.0
    while done < messages:
        done += len(await subscription.fetch(BATCH, timeout=20))
        if not started_with and done >= warm_up:
            started_with, started_at = done, time.perf_counter()
    seconds = time.perf_counter() - started_at
    await client.close()
    return done - started_with, seconds


def main() -> None:
    """Fetch and print."""
    address, stream, subject, messages, warm_up = sys.argv[1:]
    events, seconds = uvloop.run(loop(address, stream, subject, int(messages), int(warm_up)))
    print(json.dumps({"events": events, "seconds": seconds}))


if __name__ == "__main__":
    main()

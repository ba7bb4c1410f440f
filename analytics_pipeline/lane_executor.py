"""How a run is executed: in the run's own process, which gives way on the processor unless it is of the open lane.

A lower priority costs nothing where the processor is idle; where it is not, what is open stays fresh beside backfills,
weeks, checks and dbt, whose processes inherit it.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import dagster as dg

from analytics_pipeline.lib.lanes import LANE_TAG

# Closed hours are wanted within a minute, all else within minutes.
_NICENESS = {"open": 0, "closed": 10}
_LEAST = 19


class LaneExecutor(dg.Executor):
    """`inner` at the priority of the run's lane."""

    def __init__(self, inner: dg.Executor) -> None:
        self._inner = inner

    @property
    def retries(self) -> Any:
        """As `inner` retries."""
        return self._inner.retries

    def execute(self, plan_context: Any, execution_plan: Any) -> Iterator[dg.DagsterEvent]:
        """Execute the plan; the process ends with the run, so its priority is not raised again."""
        niceness = _NICENESS.get(plan_context.dagster_run.tags.get(LANE_TAG), _LEAST)
        with suppress(OSError):
            os.nice(niceness - os.nice(0))
        yield from self._inner.execute(plan_context, execution_plan)


def _create(init_context: dg.InitExecutorContext) -> LaneExecutor:
    create = dg.in_process_executor.executor_creation_fn
    if create is None:
        raise dg.DagsterInvariantViolationError("Dagster's in-process executor has no function that creates it.")
    return LaneExecutor(create(init_context))


lane_executor = dg.ExecutorDefinition(
    "in_process", config_schema=dg.in_process_executor.config_schema.as_field(), executor_creation_fn=_create
)

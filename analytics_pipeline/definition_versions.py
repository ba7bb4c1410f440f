"""What cohorts and funnels are defined by: the code that computes them."""

import hashlib
import inspect
from collections.abc import Sequence
from functools import cache
from types import ModuleType

from eventmill.analysis import (
    cohort_people,
    filter_sql,
    funnel,
    funnel_any,
    funnel_events,
    funnel_moments,
    funnel_paths,
    funnel_rows,
    funnel_shapes,
    local_days,
    relations,
    retention,
)


@cache
def of_cohorts() -> str:
    """Hash of the code behind cohorts and retention."""
    return _hash([cohort_people, filter_sql, local_days, retention])


@cache
def of_funnels() -> str:
    """Hash of the code behind funnels."""
    return _hash(
        [filter_sql, funnel, funnel_any, funnel_events, funnel_moments, funnel_paths, funnel_rows, funnel_shapes]
    )


def _hash(modules: Sequence[ModuleType]) -> str:
    texts = [relations.definition_text(), *map(inspect.getsource, modules)]
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:12]

"""Why the lake gave no answer, in words of the question.

QueryError
├── LakeBusy          too many questions are waiting: ask again later
├── LakeLimit         a question went over a limit of time, memory or rows; `rule` says what to change
└── LakeFailure       a worker could not compute an answer, or died over it
"""

from query_service.query.errors import QueryError


class LakeBusy(QueryError):  # noqa: N818 - it reads as what it is
    """Ask again in `retry_after_seconds`."""

    def __init__(self, retry_after_seconds: int = 2) -> None:
        super().__init__("Too many questions to the lake are waiting.")
        self.retry_after_seconds = retry_after_seconds


class LakeLimit(QueryError):  # noqa: N818 - it reads as what it is
    """`limit` is `seconds`, `memory` or `rows`."""

    def __init__(self, limit: str, message: str, rule: str) -> None:
        super().__init__(message)
        self.limit, self.message, self.rule = limit, message, rule


class LakeFailure(QueryError):  # noqa: N818 - it reads as what it is
    """The message is for the log: it is none of the client's business."""

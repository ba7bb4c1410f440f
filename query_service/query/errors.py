"""What a question can be refused for, in words of the question; a transport turns them into its own answers.

QueryError
├── InvalidParameter    a parameter is missing, unknown, or breaks a rule
├── NoSource            no source that is there has the answer
└── UnknownApp          the app does not exist, or the credential does not cover it: nobody is told which
"""


class QueryError(Exception):
    """A question that cannot be answered as asked."""


class InvalidParameter(QueryError):  # noqa: N818 - it reads as what it is
    """`field` breaks `rule`; the message says what came."""

    def __init__(self, field: str, message: str, rule: str) -> None:
        super().__init__(message)
        self.field, self.message, self.rule = field, message, rule


class NoSource(QueryError):  # noqa: N818 - it reads as what it is
    """Whatever could answer is not there; `rule` says what can be asked all the same."""

    def __init__(self, message: str, rule: str) -> None:
        super().__init__(message)
        self.message, self.rule = message, rule


class UnknownApp(QueryError):  # noqa: N818 - it reads as what it is
    """There is no such app for this credential."""

    def __init__(self, app_id: str) -> None:
        super().__init__(f"There is no app {app_id!r} that this key covers.")
        self.app_id = app_id

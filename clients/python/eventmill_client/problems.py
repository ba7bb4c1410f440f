"""A refusal of either service."""

import httpx


class ProblemError(Exception):
    """Problem Details (RFC 9457): `field` breaks `rule`, where there are such. Retry-After is in seconds."""

    def __init__(self, status: int, title: str, detail: str, field: str | None, rule: str | None) -> None:
        super().__init__(detail or title or f"status {status}")
        self.status, self.title, self.detail, self.field, self.rule = status, title, detail, field, rule
        self.retry_after_seconds: float | None = None

    @classmethod
    def of(cls, response: httpx.Response) -> "ProblemError":
        """The problem that an answer carries, whoever gave it."""
        try:
            body = response.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            body = {"title": response.reason_phrase, "detail": response.text[:200]}
        problem = cls(
            response.status_code, body.get("title", ""), body.get("detail", ""), body.get("field"), body.get("rule")
        )
        text = response.headers.get("retry-after", "")
        problem.retry_after_seconds = float(text) if text.isdecimal() else None
        return problem

"""Runs at Dagster, through its web server's GraphQL: what is launched here is seen in its UI."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from eventmill.embedded.processes import local_host
from eventmill.errors import EventmillError, NotReadyError
from eventmill.settings import Settings

_SELECTOR = {"repositoryLocationName": "analytics_pipeline", "repositoryName": "__repository__"}
_JOBS = """query ($selector: RepositorySelector!) { repositoryOrError(repositorySelector: $selector)
 { ... on Repository { jobs { name } } ... on PythonError { message } } }"""
_LAUNCH = """mutation ($params: ExecutionParams!) { launchRun(executionParams: $params) { __typename
 ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } ... on PipelineNotFoundError { message }
 ... on RunConfigValidationInvalid { errors { message } } } }"""
_EVENTS = """query ($id: ID!, $cursor: String) { logsForRun(runId: $id, afterCursor: $cursor) { __typename
 ... on EventConnection { cursor events { __typename ... on MessageEvent { message level } } } }
 runOrError(runId: $id) { ... on Run { status } } }"""
_TERMINATE = """mutation ($id: String!) { terminateRun(runId: $id) { __typename } }"""
ENDED = frozenset({"SUCCESS", "FAILURE", "CANCELED"})


@dataclass(frozen=True, slots=True)
class RunNews:
    """Status of a run, the messages that its code logged since `cursor` of the call before, and the next cursor."""

    status: str
    messages: list[str]
    cursor: str | None


class DagsterClient:
    """Launches, follows and ends runs. Raises NotReadyError where the web server does not answer."""

    def __init__(self, settings: Settings) -> None:
        self._address = f"http://{local_host(settings)}:{settings.dagster_port}/graphql"

    def jobs(self) -> list[str]:
        """Names of all jobs."""
        found = self._ask(_JOBS, selector=_SELECTOR)["repositoryOrError"]
        return [job["name"] for job in found.get("jobs", ())]

    def launch(self, job: str, tags: Mapping[str, str], run_config: Mapping[str, Any] | None = None) -> str:
        """Launch a job and return the run's id. Raises EventmillError where Dagster refuses."""
        parameters = {
            "selector": {**_SELECTOR, "jobName": job},
            "runConfigData": run_config or {},
            "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
        }
        answer = self._ask(_LAUNCH, params=parameters)["launchRun"]
        if answer["__typename"] != "LaunchRunSuccess":
            raise EventmillError(f"Dagster did not launch {job}: {answer.get('message') or answer}")
        return str(answer["run"]["runId"])

    def follow(self, run_id: str, cursor: str | None) -> RunNews:
        """What the run has logged since `cursor`."""
        answer = self._ask(_EVENTS, id=run_id, cursor=cursor)
        logs = answer["logsForRun"]
        events = logs.get("events", ())
        return RunNews(
            answer["runOrError"].get("status", "FAILURE"),
            [event["message"] for event in events if event["__typename"] == "LogMessageEvent"],
            logs.get("cursor", cursor),
        )

    def terminate(self, run_id: str) -> None:
        """Ask a run to end."""
        self._ask(_TERMINATE, id=run_id)

    def _ask(self, query: str, **variables: Any) -> dict[str, Any]:
        try:
            answer = httpx.post(self._address, json={"query": query, "variables": variables}, timeout=30)
            body = answer.raise_for_status().json()
        except (httpx.HTTPError, ValueError) as error:
            raise NotReadyError(
                f"Dagster does not answer at {self._address}: {error}", "`eventmill status` shows what runs."
            ) from error
        if "errors" in body:
            raise EventmillError(f"Dagster refused: {body['errors'][0]['message']}")
        found: dict[str, Any] = body["data"]
        return found

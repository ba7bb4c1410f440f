"""Asks a question over each transport of running services."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg
from websockets.sync.client import connect

from tests.flight_service import FlightService
from tests.integration.conformance import words
from tests.integration.conformance.words import V2, Cells, Field, Get, Post, Question, Sql

Rows = list[list[Any]]
Page = tuple[list[dict[str, Any]], str | None]


@dataclass(frozen=True)
class Services:
    """A query service, a Flight server and the database beneath both; a read key by app."""

    http: httpx.Client
    flight: FlightService
    database: str
    keys: Mapping[str, str]

    def answers(self, question: Question) -> Iterator[tuple[str, Cells]]:
        """The cells by way and transport."""
        for number, way in enumerate(question.ways):
            for transport in way.transports:
                yield f"{transport} {number}", words.cells(question, self._rows(question, way, transport))

    def _rows(self, question: Question, way: words.Way, transport: str) -> Rows:
        match way:
            case V2():
                return self._rows_of_v2(question, way, transport)
            case Get():
                return self._rows_of_get(question, way)
            case Post():
                answer = self.post(question.app_id, way.path, way.body)
                return words.columns_of(answer["data"], way.columns)
            case Field():
                document = f"{{{way.call} {{{' '.join(name.rstrip('?') for name in way.columns)}}}}}"
                [found] = self.graphql(question.app_id, document)["data"].values()
                rows = found if isinstance(found, list) else [found]
                return words.columns_of(rows, way.columns, is_hour='"hour"' in way.call)
            case Sql():
                return way.cells(self._rows_of_sql(question.app_id, way, transport))

    def _rows_of_v2(self, question: Question, way: V2, transport: str) -> Rows:
        ask: Callable[[str, dict[str, Any]], Page] = getattr(self, f"_by_{transport}")
        rows, cursor = ask(question.app_id, dict(way.asked))
        assert cursor is not None or not question.in_pages
        while question.in_pages and cursor is not None:
            more, cursor = ask(question.app_id, {**way.asked, "cursor": cursor})
            rows = [*rows, *more]
        return words.cells_of_v2(way.asked, rows)

    def _by_rest(self, app_id: str, asked: dict[str, Any]) -> Page:
        answer = self.post(app_id, "/api/v2/query", asked)
        return answer["data"], answer["meta"]["next_cursor"]

    def _by_graphql(self, app_id: str, asked: dict[str, Any]) -> Page:
        answer = self.graphql(app_id, "query Ask($asked: JSON!) {query(question: $asked)}", asked=asked)
        return answer["data"]["query"], answer["extensions"]["meta"]["query"]["next_cursor"]

    def _by_websocket(self, app_id: str, asked: dict[str, Any]) -> Page:
        address = str(self.http.base_url).replace("http", "ws", 1).rstrip("/")
        with connect(f"{address}/ws/live") as connection:
            connection.send(json.dumps({"type": "auth", "key": self.keys[app_id]}))
            assert json.loads(connection.recv(timeout=30))["type"] == "ready"
            connection.send(json.dumps({"type": "subscribe", "id": "a", "query": asked}))
            message = json.loads(connection.recv(timeout=60))
        assert message["type"] == "snapshot", message
        return message["data"], message["meta"]["next_cursor"]

    def _rows_of_get(self, question: Question, way: Get) -> Rows:
        answer = self._get(question.app_id, way.path, way.parameters)
        rows = answer["data"] if isinstance(answer["data"], list) else [answer["data"]["counters"]]
        while question.in_pages and answer["meta"]["next_cursor"]:
            more = {**way.parameters, "cursor": answer["meta"]["next_cursor"]}
            answer = self._get(question.app_id, way.path, more)
            rows += answer["data"]
        return words.columns_of(rows, way.columns, is_hour=way.parameters.get("granularity") == "hour")

    def _rows_of_sql(self, app_id: str, way: Sql, transport: str) -> Rows:
        if transport == "flight":
            columns = self.flight.ask(way.on_views(), self.keys[app_id]).columns
            return [list(row) for row in zip(*(column.to_pylist() for column in columns), strict=True)]
        with psycopg.connect(self.database) as connection:
            return [list(row) for row in connection.execute(way.on_marts(app_id).encode()).fetchall()]

    def _get(self, app_id: str, path: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        return self._answer(self.http.get(path, params=dict(parameters), headers=self._key(app_id)))

    def post(self, app_id: str, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a body."""
        return self._answer(self.http.post(path, json=body, headers=self._key(app_id)))

    def graphql(self, app_id: str, document: str, **variables: Any) -> dict[str, Any]:
        """The answer to a document."""
        answer = self.post(app_id, "/graphql", {"query": document, "variables": variables})
        assert "errors" not in answer, answer["errors"]
        return answer

    def _key(self, app_id: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.keys[app_id]}"}

    @staticmethod
    def _answer(response: httpx.Response) -> dict[str, Any]:
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found

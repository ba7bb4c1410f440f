"""Apps, what goes on in one right now, and its saved dashboards."""

import strawberry

from eventmill.control import dashboards as saved
from query_service.control_store import ControlStore
from query_service.graphql.arguments import AppId
from query_service.graphql.context import Info, objects
from query_service.graphql.fields import output, question
from query_service.graphql.scalars import JSON, Count, DateTime
from query_service.websocket.service import LiveService

WINDOW = "5m"


@output
class App:
    """An app that the key covers."""

    app_id: strawberry.ID
    name: str
    time_zone: str
    last_event_at: DateTime | None
    silent_since: DateTime | None


@output
class Counters:
    """What goes on now, from the stream; today's totals are null while Postgres is away."""

    events_5m: Count = strawberry.field(name="events5m")
    active_users_5m: Count = strawberry.field(name="activeUsers5m")
    current_visitors: Count
    trend_percent: float | None
    window_start: DateTime
    window_end: DateTime
    updated_at: DateTime
    events_today: Count | None
    page_views_today: Count | None
    users_today: Count | None
    visitors_today: Count | None


@output
class Dashboard:
    """A saved dashboard."""

    id: strawberry.ID
    name: str
    widgets: JSON
    version: int
    created_at: DateTime
    updated_at: DateTime


@output
class AppQueries:
    """Questions about apps."""

    @question("The apps that the key covers.")
    async def apps(self, info: Info) -> list[App] | None:
        """Apps by id."""
        return objects(App, await info.context.path.apps(info.context.covered))

    @question("The last five minutes and the running day.")
    async def counters(self, info: Info, app_id: AppId = None) -> Counters | None:
        """Counters of the live window."""
        live: LiveService = info.context.state.live
        tenant = await info.context.path.tenant({"app_id": app_id}, info.context.covered)
        answer = await live.overview.answer(tenant.app_id, WINDOW, may_see_people=False)
        info.context.note(info, answer.meta)
        return objects(Counters, [answer.data["counters"]])[0]

    @question("Saved dashboards by name.")
    async def dashboards(self, info: Info, app_id: AppId = None) -> list[Dashboard] | None:
        """Dashboards of an app."""
        store: ControlStore = info.context.state.control
        tenant = await info.context.path.tenant({"app_id": app_id}, info.context.covered)
        found = await store.run(lambda connection: saved.list_all(connection, tenant.app_id))
        names = ("id", "name", "widgets", "version", "created_at", "updated_at")
        return objects(Dashboard, [{name: getattr(one, name) for name in names} for one in found])

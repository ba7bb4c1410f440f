"""What a BI tool's role may read on a real server, and what hostile SQL gets it: its own apps' marts, nothing else."""

import json
from collections.abc import Callable, Iterator
from datetime import date
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner

from eventmill import dbt
from eventmill.cli import main
from eventmill.control import bi_roles
from eventmill.errors import EventmillError
from eventmill.settings import Settings

pytestmark = pytest.mark.integration

NUMBERS = count(1)
ROWS = "select app_id, event_count from marts.daily_stats order by app_id"
SECRET = "rival-secret-event"


@pytest.fixture
def shops(rollups: Any) -> Any:
    """Two apps with a row each."""
    rollups.metric("all", "event_type", "click", events=2)
    rollups.metric("all", "event_type", SECRET, events=7, app_id="rival")
    with psycopg.connect(rollups.address) as connection:
        bi_roles.prepare(connection)
    return rollups


@pytest.fixture
def sign_in(shops: Any) -> Iterator[Callable[..., psycopg.Connection]]:
    """Grants the apps to a role of a new name and connects as it; the roles go afterwards."""
    connections, names = [], []

    def connect(*app_ids: str) -> psycopg.Connection:
        names.append(f"tool_{next(NUMBERS)}")
        with psycopg.connect(shops.address) as owner:
            granted = bi_roles.grant(owner, app_ids or None, names[-1])
        connections.append(_connect(shops, granted.role, granted.password))
        return connections[-1]

    yield connect
    for connection in connections:
        connection.close()
    with psycopg.connect(shops.address) as owner:
        for role in {one.role for one in bi_roles.list_roles(owner)} & set(names):
            bi_roles.revoke(owner, None, role)


def _connect(shops: Any, role: str, password: str) -> psycopg.Connection:
    return psycopg.connect(shops.address, user=role, password=password, autocommit=True)


def refused(connection: psycopg.Connection, statement: str) -> bool:
    try:
        connection.execute(statement)
    except psycopg.errors.InsufficientPrivilege:
        return True
    return False


def test_a_reader_of_all_apps_reads_every_mart(shops: Any, sign_in: Callable[..., psycopg.Connection]) -> None:
    connection = sign_in()
    assert connection.execute(ROWS).fetchall() == [("rival", 7), ("shop", 2)]
    for path in (dbt.PROJECT / "models" / "marts").glob("*.sql"):
        connection.execute(f"select * from marts.{path.stem} limit 1")


def test_a_reader_reads_nothing_but_the_marts(sign_in: Callable[..., psycopg.Connection]) -> None:
    connection = sign_in()
    tables = connection.execute(
        "select quote_ident(nspname) || '.' || quote_ident(relname) from pg_class inner join pg_namespace as schema"
        " on relnamespace = schema.oid where relkind in ('r', 'v', 'm', 'p')"
        " and nspname not in ('marts', 'pg_catalog', 'information_schema', 'pg_toast')"
    ).fetchall()
    assert len(tables) > 40
    assert [name for (name,) in tables if not refused(connection, f"select from {name}")] == []
    connection.execute("set default_transaction_read_only = off")
    for statement in ("create schema mine", "create table public.mine ()", "create table marts.mine ()"):
        assert refused(connection, statement)
    assert refused(connection, "select control.visible_apps()")


def test_a_new_and_a_rebuilt_mart_stay_readable(shops: Any, sign_in: Callable[..., psycopg.Connection]) -> None:
    connection = sign_in("shop")
    shops.execute("create view marts.brand_new as select 1 as one")
    [(definition,)] = shops.tuples("select pg_get_viewdef('marts.daily_stats'::regclass)")
    shops.execute("drop view marts.daily_stats cascade")
    shops.execute(f"create view marts.daily_stats with (security_barrier) as {definition}")
    assert connection.execute(ROWS).fetchall() == [("shop", 2)]
    assert connection.execute("select * from marts.brand_new").fetchall() == [(1,)]


def test_a_role_of_one_app_sees_that_app_in_every_mart(shops: Any, sign_in: Callable[..., psycopg.Connection]) -> None:
    connection = sign_in("shop")
    assert connection.execute(ROWS).fetchall() == [("shop", 2)]
    assert sign_in("shop", "rival").execute(ROWS).fetchall() == [("rival", 7), ("shop", 2)]
    query = (
        "select count(*) from pg_class where relnamespace = 'marts'::regnamespace and relkind = 'v'"
        " and reloptions @> '{security_barrier=true}' and pg_get_viewdef(oid) like '%control.visible_apps()%'"
    )
    marts = list((dbt.PROJECT / "models" / "marts").glob("*.sql"))
    assert shops.tuples(query) == [(len(marts),)]


@pytest.mark.parametrize(
    "statement",
    [
        "set role bi_app_reader; select app_id from marts.daily_stats",
        "set search_path = pg_temp, marts; select app_id from marts.daily_stats",
        "select app_id from marts.daily_stats where pg_temp.leak(event_type) or app_id = 'rival'",
        "select app_id from marts.daily_stats where app_id = 'rival' union all select app_id from marts.daily_stats",
        "select app_id from marts.daily_stats where case when app_id = 'rival' then event_type::int = 1 else true end",
    ],
)
def test_hostile_sql_of_a_role_sees_its_own_app_only(
    sign_in: Callable[..., psycopg.Connection], statement: str
) -> None:
    connection = sign_in("shop")
    notices: list[str] = []
    connection.add_notice_handler(lambda notice: notices.append(str(notice.message_primary)))
    connection.execute("set default_transaction_read_only = off")
    connection.execute(
        "create function pg_temp.leak(text) returns boolean language plpgsql cost 0.0000001"
        " as $$ begin raise notice '%', $1; return true; end $$"
    )
    connection.execute("create function pg_temp.visible_apps() returns text[] return '{rival}'::text[]")
    cursor = connection.execute(statement)
    while cursor.nextset():
        pass
    assert set(cursor.fetchall()) <= {("shop",)}
    assert SECRET not in notices


@pytest.mark.parametrize("role", ["bi_reader", "eventmill", "postgres"])
def test_a_role_of_one_app_cannot_become_another(sign_in: Callable[..., psycopg.Connection], role: str) -> None:
    connection = sign_in("shop")
    connection.execute("set default_transaction_read_only = off")
    assert refused(connection, f"set role {role}")
    assert refused(connection, f"set session authorization {role}")
    assert refused(connection, f"grant {role} to current_user")


def test_a_role_that_names_no_app_is_served_from_the_index(
    shops: Any, sign_in: Callable[..., psycopg.Connection]
) -> None:
    connection = sign_in("shop")
    shops.execute(
        "insert into rollups.metric select 'rival', 'day', day, day::date, null, 0, 'all', 'event_type', 'value',"
        " 'v' || number, 1, 1, 1, 1, 1, day from generate_series(timestamptz '2026-01-01', '2026-10-01', '1 day')"
        " as days (day), generate_series(1, 40) as number"
    )
    with psycopg.connect(shops.address, autocommit=True) as owner:
        owner.execute("analyze rollups.metric")
    query = "select * from marts.daily_stats where date >= %s and date < %s"
    plan = connection.execute(f"explain {query}", [date(2026, 9, 1), date(2026, 10, 1)]).fetchall()
    [condition] = [line for (line,) in plan if "Index Cond" in line]
    assert "app_id = ANY (control.visible_apps())" in condition
    assert "local_date >= " in condition


def test_a_revoked_role_is_gone_and_who_is_signed_in_sees_nothing(
    shops: Any, sign_in: Callable[..., psycopg.Connection]
) -> None:
    connection = sign_in("shop")
    role = connection.info.user
    with psycopg.connect(shops.address) as owner:
        bi_roles.grant(owner, ["rival"], role)
        bi_roles.revoke(owner, ["shop"], role)
        owner.commit()
        assert connection.execute(ROWS).fetchall() == [("rival", 7)]
        bi_roles.revoke(owner, ["rival"], role)
    with pytest.raises(psycopg.Error):
        connection.execute(ROWS)
    with pytest.raises(psycopg.OperationalError):
        _connect(shops, role, "any")


def test_a_role_goes_whatever_its_sessions_have_made_for_themselves(
    shops: Any, sign_in: Callable[..., psycopg.Connection]
) -> None:
    connection = sign_in("shop")
    connection.execute("set default_transaction_read_only = off")
    connection.execute("create function pg_temp.mine() returns int language sql as 'select 1'")
    with psycopg.connect(shops.address) as owner:
        bi_roles.revoke(owner, None, connection.info.user)
    with pytest.raises(psycopg.OperationalError):
        connection.execute("select 1")


def test_a_deleted_app_leaves_its_role_without_rows(shops: Any, sign_in: Callable[..., psycopg.Connection]) -> None:
    connection = sign_in("shop")
    shops.execute("delete from control.app where app_id = 'shop'")
    assert connection.execute(ROWS).fetchall() == []


@pytest.mark.parametrize("name", ["pg_mine", "eventmill", "bi_reader", "Upper", "1st", "a" * 64, 'x"y'])
def test_a_role_of_ours_takes_no_name_of_others(shops: Any, name: str) -> None:
    with psycopg.connect(shops.address) as owner, pytest.raises(EventmillError, match="--name"):
        bi_roles.grant(owner, ["shop"], name)


def test_somebody_elses_role_is_neither_taken_over_nor_dropped(shops: Any) -> None:
    with psycopg.connect(shops.address) as owner:
        owner.execute("create role someone_else")
        with pytest.raises(EventmillError, match="not eventmill's"):
            bi_roles.grant(owner, ["shop"], "someone_else")
        with pytest.raises(EventmillError, match="no role"):
            bi_roles.revoke(owner, ["shop"], "someone_else")
        owner.rollback()


def test_the_command_shows_the_password_once(shops: Any, new_directory: Callable[[], Path]) -> None:
    settings = Settings(home=new_directory(), database_url=shops.address)

    def run(*words: str) -> str:
        result = CliRunner().invoke(main.get_command(None, "bi"), words, obj=settings, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    granted = json.loads(run("grant", "--app", "shop", "--json"))
    assert (granted["role"], granted["apps"], granted["schema"]) == ("bi_shop", ["shop"], "marts")
    with _connect(shops, granted["role"], granted["password"]) as connection:
        assert connection.execute(ROWS).fetchall() == [("shop", 2)]
    listed = run("list", "--json")
    assert json.loads(listed)[0]["app_ids"] == ["shop"]
    assert granted["password"] not in listed
    stored = shops.tuples("select string_agg(bi_role::text, ' ') from control.bi_role")
    assert granted["password"] not in str(stored)
    again = json.loads(run("grant", "--app", "shop", "--json"))
    with pytest.raises(psycopg.OperationalError):
        _connect(shops, granted["role"], granted["password"])
    assert again["password"] != granted["password"]
    assert json.loads(run("grant", "--app", "shop", "--revoke", "--json")) == {"role": "bi_shop", "revoked": True}

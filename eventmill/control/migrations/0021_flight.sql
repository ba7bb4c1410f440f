-- The views that Arrow Flight reads: dbt makes one beside each mart (macros/view_in_place.sql).
create schema flight;

-- The role that the Flight service signs in as, and the secret by which its replicas agree: tickets, the proof of a
-- transaction's apps, and the role's password come from it.
create table control.flight_access (
    is_only boolean primary key default true check (is_only),
    role_name text not null,
    secret bytea not null,
    created_at timestamptz not null default now()
);

-- The apps of the transaction: its setting eventmill.apps is `<id>,<id>:<proof>`. SQL that got to write a setting could
-- not write the proof, which nobody but the service can make.
create function control.flight_apps() returns text[]
language sql stable parallel safe security definer set search_path = pg_catalog, pg_temp
as $$
    select coalesce(
        (
            select string_to_array(split_part(setting, ':', 1), ',')
            from
                control.flight_access as access,
                current_setting('eventmill.apps', true) as setting
            where
                access.role_name = session_user
                and split_part(setting, ':', 2)
                = encode(
                    sha256(access.secret || sha256(access.secret || convert_to(split_part(setting, ':', 1), 'UTF8'))),
                    'hex'
                )
        ),
        '{}'
    )
$$;
revoke execute on function control.flight_apps() from public;

-- As in 0015, and for the role of Flight the apps of its transaction.
create or replace function control.visible_apps() returns text[]
language sql stable parallel safe security definer cost 1000 set search_path = pg_catalog, pg_temp
as $$
    select coalesce(array_agg(app.app_id), '{}')
    from control.app
    where
        pg_has_role(session_user, current_user, 'member')
        or exists (
            select 1 from pg_roles where pg_roles.rolname = 'bi_reader' and pg_has_role(session_user, pg_roles.oid, 'member')
        )
        or exists (
            select 1 from control.bi_role where bi_role.role_name = session_user and bi_role.app_id = app.app_id
        )
        or app.app_id = any ((select control.flight_apps())::text[])
$$;

-- Tells, once the transaction is committed, that rows of a table have changed: what was kept of them is out of date.
create function control.tell_changed() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
    perform pg_notify('eventmill_changed', tg_table_schema || '.' || tg_table_name);
    return null;
end
$$;

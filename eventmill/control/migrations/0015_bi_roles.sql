-- Which apps' numbers a role of a BI tool sees in the marts. Kept here and nowhere in the session: whoever writes the
-- queries cannot change it.
create table control.bi_role (
    role_name text not null,
    -- Null: every app.
    app_id text references control.app on delete cascade,
    created_at timestamptz not null default now()
);
create unique index bi_role_once on control.bi_role (role_name, coalesce(app_id, ''));

-- The apps that the signed-in role may see; every mart compares its rows with it. `session_user` stays what it is under
-- SET ROLE. Here, `current_user` is the owner of the tables. Unknown roles see nothing.
create function control.visible_apps() returns text[]
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
$$;
revoke execute on function control.visible_apps() from public;

-- A range of days of an app, whatever else is asked.
create index revenue_by_date on rollups.revenue (app_id, grain, dimension, local_date);
create index goal_metric_by_date on rollups.goal_metric (app_id, dimension, local_date);
create index hourly_anomaly_by_date on rollups.hourly_anomaly (app_id, local_date);
create index cohort_retention_by_app on rollups.cohort_retention (app_id, cohort_date);
create index funnel_step_by_app on rollups.funnel_step (app_id);

-- Watching the numbers: alerts and webhooks, what is wrong now and was, what is still to be sent.

-- Where news go. `url` may hold a token, and `secret` signs bodies: neither is printed or logged.
create table control.webhook (
    webhook_id uuid primary key default gen_random_uuid(),
    -- Null: news of every app, and those of the installation.
    app_id text references control.app on delete cascade,
    url text not null,
    secret text,
    kinds text[] not null,
    created_at timestamptz not null default now()
);

create table control.alert (
    alert_id uuid primary key default gen_random_uuid(),
    app_id text not null references control.app on delete cascade,
    name text not null check (length(name) between 1 and 200),
    metric text not null,
    dimension text not null default 'total',
    value text,
    comparison text not null check (comparison in ('above', 'below', 'at_least', 'at_most')),
    threshold double precision not null,
    period text not null check (period in ('hour', 'day')),
    for_minutes integer not null check (for_minutes between 0 and 1440),
    -- Whether the running period is looked at as well, whose number still grows.
    takes_incomplete boolean not null,
    -- Null: every webhook of the app that takes alerts.
    webhook_id uuid references control.webhook,
    created_at timestamptz not null default now(),
    unique (app_id, name)
);

create table control.alert_state (
    alert_id uuid primary key references control.alert on delete cascade,
    value double precision,
    period_start timestamptz,
    -- Since when the condition holds, and since when it does not.
    met_since timestamptz,
    unmet_since timestamptz,
    evaluated_at timestamptz not null
);

-- Something that is wrong: opened once, resolved once. `subject` names it within its kind and app.
create table control.incident (
    incident_id bigint generated always as identity primary key,
    kind text not null,
    app_id text references control.app on delete cascade,
    subject text not null,
    alert_id uuid references control.alert on delete cascade,
    title text not null,
    details jsonb not null default '{}',
    opened_at timestamptz not null,
    resolved_at timestamptz
);
create unique index incident_open on control.incident (kind, coalesce(app_id, ''), subject) where resolved_at is null;
create index incident_by_app on control.incident (app_id, opened_at desc);

-- The outbox: a body per webhook, written in the transaction of the news, sent until it is taken.
create table control.delivery (
    delivery_id uuid primary key default gen_random_uuid(),
    webhook_id uuid not null references control.webhook on delete cascade,
    incident_id bigint references control.incident on delete cascade,
    body jsonb not null,
    created_at timestamptz not null,
    attempts integer not null default 0,
    next_attempt_at timestamptz,
    delivered_at timestamptz,
    failed_at timestamptz,
    last_error text
);
create index delivery_due on control.delivery (next_attempt_at) where next_attempt_at is not null;

-- The latest evaluation of each check and freshness policy in Dagster. `findings`: app id -> lines; null where the
-- check does not say which apps are concerned.
create table rollups.check_result (
    asset_key text not null,
    check_name text not null,
    has_passed boolean not null,
    severity text not null,
    findings jsonb,
    evaluated_at timestamptz not null,
    primary key (asset_key, check_name)
);

-- How far each watcher has looked.
create table rollups.watch_progress (
    watcher text primary key,
    watched_until timestamptz not null,
    last_id bigint not null default 0
);

-- Counted events of a closed hour by its minutes, read once from the lake: what a running hour is compared with.
create table rollups.hour_profile (
    app_id text not null,
    period_start timestamptz not null,
    events bigint[] not null,
    page_views bigint[] not null,
    computed_at timestamptz not null,
    primary key (app_id, period_start)
);

-- Weeks and months; sessions, goals and revenue; cohorts, retention and funnels; restatements, anomalies and alerts.

-- A week is named by its first day, a month by its first.
alter table rollups.metric drop constraint metric_grain_check;
alter table rollups.metric add constraint metric_grain_check check (grain in ('hour', 'day', 'week', 'month'));

-- Why a period is dirty. Kept until it is computed, for the row that a changed closed period gets in `restatement`.
alter table rollups.periods add column cause text not null default 'late_events'
check (cause in ('late_events', 'replay', 'backfill', 'erasure', 'identity', 'definition'));

-- Oldest instant whose raw events are all in the lake: no period that starts before it is computed again.
-- Null: everything that was ever stored is there.
alter table control.app add column lake_floor timestamptz;

-- Closed periods whose numbers changed; written in the transaction that replaces them.
create table rollups.restatement (
    restatement_id bigint generated always as identity primary key,
    app_id text not null,
    table_name text not null,
    grain text not null,
    period_start timestamptz not null,
    local_date date not null,
    -- What `before` and `after` count: events, or sessions.
    metric text not null,
    value_before bigint,
    value_after bigint,
    rows_changed bigint not null,
    cause text not null,
    restated_at timestamptz not null
);
create index restatement_by_app on rollups.restatement (app_id, restated_at desc);

-- Sessions of the local hour or day in which they started, by what they entered with (dimension entry_page, exit_page,
-- channel, utm_source, …). A session belongs to one day, so these sums may be added up over days.
create table rollups.session_metric (
    app_id text not null,
    grain text not null check (grain in ('hour', 'day')),
    period_start timestamptz not null,
    traffic text not null check (traffic in ('human', 'all')),
    dimension text not null,
    value_kind text not null check (value_kind in ('total', 'value', 'not_set', 'other')),
    value text not null default '',
    local_date date not null,
    local_hour smallint,
    utc_offset_minutes smallint not null,
    sessions_started bigint not null,
    -- Sessions with a page or screen view: those of which a bounce is known.
    sessions_with_views bigint not null,
    bounces bigint not null,
    views bigint not null,
    events bigint not null,
    duration_seconds double precision not null,
    computed_at timestamptz not null,
    primary key (app_id, grain, period_start, traffic, dimension, value_kind, value)
) with (fillfactor = 80);
create index session_metric_by_date on rollups.session_metric (app_id, grain, dimension, local_date);

-- Sums of properties.revenue (or value) by currency. May be added up over time.
create table rollups.revenue (
    app_id text not null,
    grain text not null check (grain in ('hour', 'day')),
    period_start timestamptz not null,
    traffic text not null check (traffic in ('human', 'all')),
    dimension text not null,
    value_kind text not null check (value_kind in ('total', 'value', 'not_set', 'other')),
    value text not null default '',
    currency text not null,
    local_date date not null,
    local_hour smallint,
    utc_offset_minutes smallint not null,
    events bigint not null,
    revenue numeric(38, 6) not null,
    computed_at timestamptz not null,
    primary key (app_id, grain, period_start, traffic, dimension, value_kind, value, currency)
) with (fillfactor = 80);

-- Saved definitions. `definition` is checked by the program before it is stored.
create table control.goal (
    goal_id uuid primary key default gen_random_uuid(),
    app_id text not null references control.app on delete cascade,
    -- A short name for addresses and columns: of the letters, digits, - and _ in the name unless one was given.
    identifier text not null check (identifier ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
    name text not null check (length(name) between 1 and 200),
    definition jsonb not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (app_id, name),
    unique (app_id, identifier)
);

create table control.cohort (
    cohort_id uuid primary key default gen_random_uuid(),
    app_id text not null references control.app on delete cascade,
    identifier text not null check (identifier ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
    name text not null check (length(name) between 1 and 200),
    definition jsonb not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (app_id, name),
    unique (app_id, identifier)
);

create table control.funnel (
    funnel_id uuid primary key default gen_random_uuid(),
    app_id text not null references control.app on delete cascade,
    identifier text not null check (identifier ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
    name text not null check (length(name) between 1 and 200),
    definition jsonb not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (app_id, name),
    unique (app_id, identifier)
);

-- Days on which a goal was reached, by what the session entered with.
create table rollups.goal_metric (
    app_id text not null,
    goal_id uuid not null references control.goal on delete cascade,
    period_start timestamptz not null,
    local_date date not null,
    traffic text not null check (traffic in ('human', 'all')),
    dimension text not null,
    value_kind text not null check (value_kind in ('total', 'value', 'not_set', 'other')),
    value text not null default '',
    events bigint not null,
    visitors bigint not null,
    sessions bigint not null,
    computed_at timestamptz not null,
    primary key (app_id, goal_id, period_start, traffic, dimension, value_kind, value)
) with (fillfactor = 80);

create table rollups.cohort (
    app_id text not null,
    cohort_id uuid primary key references control.cohort on delete cascade,
    user_count bigint not null,
    -- Percent: the pooled rate of period 1, in weeks. Null where no cell is complete.
    retention_rate double precision,
    -- Visitors known by an id of one day only, who are in none of these numbers.
    daily_visitors bigint not null,
    is_exact boolean not null,
    lake_version bigint not null,
    definition_version text not null,
    complete_through timestamptz,
    computed_at timestamptz not null
);

create table rollups.cohort_retention (
    app_id text not null,
    cohort_id uuid not null references control.cohort on delete cascade,
    interval_kind text not null check (interval_kind in ('day', 'week', 'month')),
    mode text not null check (mode in ('on', 'on_or_after')),
    -- Whether an actor belongs to the period of the first qualifying event ever, or to each with one.
    recurrence text not null check (recurrence in ('first_time', 'recurring')),
    cohort_date date not null,
    period_offset integer not null check (period_offset >= 0),
    cohort_size bigint not null,
    returning_users bigint not null,
    is_incomplete boolean not null,
    computed_at timestamptz not null,
    primary key (cohort_id, interval_kind, mode, recurrence, cohort_date, period_offset)
);

create table rollups.funnel_step (
    app_id text not null,
    funnel_id uuid not null references control.funnel on delete cascade,
    breakdown_kind text not null check (breakdown_kind in ('total', 'value', 'not_set', 'other')),
    breakdown_value text not null default '',
    step_no integer not null check (step_no >= 1),
    step_name text not null,
    users bigint not null,
    in_progress bigint not null,
    median_seconds double precision,
    mean_seconds double precision,
    range_from timestamptz not null,
    range_to timestamptz not null,
    window_seconds bigint not null,
    -- Not where a part of the range lay before the app's lake floor when it was computed first.
    is_exact boolean not null default true,
    lake_version bigint not null,
    definition_version text not null,
    complete_through timestamptz,
    computed_at timestamptz not null,
    primary key (funnel_id, breakdown_kind, breakdown_value, step_no)
);

-- Current hour beside the same hour one week ago and the four weeks before.
create table rollups.hourly_anomaly (
    app_id text not null,
    metric text not null,
    period_start timestamptz not null,
    local_date date not null,
    local_hour smallint not null,
    utc_offset_minutes smallint not null,
    current_value bigint not null,
    previous_value bigint not null,
    -- Percent; null when the earlier count is 0.
    change_pct double precision,
    expected_value double precision,
    deviation double precision,
    weeks_compared integer not null,
    is_partial boolean not null,
    is_anomaly boolean not null,
    computed_at timestamptz not null,
    primary key (app_id, metric, period_start)
);

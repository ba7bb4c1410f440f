create schema if not exists rollups;
create schema if not exists marts;

-- Sums and exact distinct counts of one app, period and cut. Never means; never user-level data.
create table rollups.metric (
    app_id text not null,
    grain text not null check (grain in ('hour', 'day')),
    -- The instant at which the app's local hour or day starts.
    period_start timestamptz not null,
    local_date date not null,
    -- 0 to 23 for an hour; null for a day.
    local_hour smallint,
    -- The zone's offset at period_start: tells apart the two hours of one name at the end of summer time.
    utc_offset_minutes smallint not null,
    traffic text not null check (traffic in ('human', 'all')),
    dimension text not null,
    value_kind text not null check (value_kind in ('total', 'value', 'not_set', 'other')),
    value text not null default '',
    events bigint not null,
    page_views bigint not null,
    users bigint not null,
    visitors bigint not null,
    sessions bigint not null,
    computed_at timestamptz not null,
    primary key (app_id, grain, period_start, traffic, dimension, value_kind, value)
) with (fillfactor = 80);

create index metric_by_date on rollups.metric (app_id, grain, dimension, local_date);

-- Sessions by the page they entered on, per local day: sums, from which bounce rate and mean duration follow.
create table rollups.page_session (
    app_id text not null,
    period_start timestamptz not null,
    local_date date not null,
    traffic text not null check (traffic in ('human', 'all')),
    page_url text not null,
    sessions bigint not null,
    bounces bigint not null,
    duration_seconds double precision not null,
    computed_at timestamptz not null,
    primary key (app_id, period_start, traffic, page_url)
);

-- The one place that knows what is dirty. Versions are those of the lake's `events` table.
create table rollups.periods (
    table_name text not null,
    app_id text not null,
    grain text not null,
    period_start timestamptz not null,
    period_end timestamptz not null,
    local_date date not null,
    wanted_version bigint not null,
    computed_version bigint,
    dirty_since timestamptz,
    -- Stored events that arrived after the period closed and are not in its numbers yet.
    late_pending bigint not null default 0,
    closed_at timestamptz,
    computed_at timestamptz,
    definition_version text,
    primary key (table_name, app_id, grain, period_start)
);

create index periods_dirty on rollups.periods (table_name, period_start) where dirty_since is not null;
create index periods_not_closed on rollups.periods (period_end) where closed_at is null;

-- How far the lake has been turned into dirty periods (one row).
create table rollups.lake_progress (
    only_row boolean primary key default true check (only_row),
    lake_version bigint not null,
    -- Every envelope that the broker stored up to this instant lies in the lake.
    complete_through timestamptz,
    updated_at timestamptz not null default now()
);

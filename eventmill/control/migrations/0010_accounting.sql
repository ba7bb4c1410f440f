-- What became of the events that arrived, per app and UTC hour of arrival, as the notes of the writer's commits tell it.
-- Each note is added once, in the transaction that moves lake_progress.accounted_version.
create table rollups.ingest_accounting (
    app_id text not null,
    hour timestamptz not null,
    received bigint not null,
    stored bigint not null,
    window_duplicate bigint not null,
    quarantined bigint not null,
    filtered bigint not null,
    -- Of the stored ones, those that break the tracking plan and were kept.
    flagged bigint not null,
    last_received_at timestamptz not null,
    -- Latest version of the lake whose note is in this row, and the broker's time of the last message in that commit.
    lake_version bigint not null,
    told_until timestamptz not null,
    primary key (app_id, hour)
) with (fillfactor = 80);

create table rollups.ingest_reason (
    app_id text not null,
    hour timestamptz not null,
    outcome text not null check (outcome in ('quarantined', 'filtered')),
    reason text not null,
    events bigint not null,
    lake_version bigint not null,
    primary key (app_id, hour, outcome, reason)
) with (fillfactor = 80);

-- Times of arrival of which some commits are not known, of any app: their hours are never called complete.
create table rollups.ingest_gap (
    starts_at timestamptz not null,
    ends_at timestamptz not null,
    cause text not null check (cause in ('log_cleaned_up', 'not_told', 'rows_lost')),
    noted_at timestamptz not null default now(),
    primary key (cause, starts_at)
);

-- Counted events of each local hour of rollups.metric by the UTC hour in which they arrived; replaced with the hour.
create table rollups.counted_arrival (
    app_id text not null,
    period_start timestamptz not null,
    received_hour timestamptz not null,
    events bigint not null,
    computed_at timestamptz not null,
    primary key (app_id, period_start, received_hour)
) with (fillfactor = 80);

create index counted_arrival_by_hour on rollups.counted_arrival (app_id, received_hour);

-- Stored copies that readers leave out, by the home hour that all copies of an event share and the hour of arrival.
create table rollups.later_duplicate (
    app_id text not null,
    home_hour timestamptz not null,
    received_hour timestamptz not null,
    events bigint not null,
    -- Version of the lake that was read: an older one never replaces a newer one.
    lake_version bigint not null,
    primary key (app_id, home_hour, received_hour)
);

create index later_duplicate_by_hour on rollups.later_duplicate (app_id, received_hour);
create index later_duplicate_by_home on rollups.later_duplicate (home_hour);

-- Apps that were silent when last looked at, and their last event's arrival. A later event makes the row void.
create table rollups.silence (
    app_id text primary key,
    silent_since timestamptz not null
);

-- Version of the lake up to which the notes were added. What was committed before this table existed is not known.
alter table rollups.lake_progress add column accounted_version bigint not null default 0;
update rollups.lake_progress set accounted_version = lake_version;
insert into rollups.ingest_gap (starts_at, ends_at, cause)
select to_timestamp(0), updated_at, 'not_told' from rollups.lake_progress where lake_version > 0;

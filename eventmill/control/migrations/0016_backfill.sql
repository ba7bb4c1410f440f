-- Backfills that were asked for by `eventmill backfill`: one that was interrupted goes on from where it ended.
create table control.backfill (
    backfill_id bigint generated always as identity primary key,
    -- Ids of apps, apart by commas; empty for all.
    apps text not null,
    first_date date not null,
    last_date date not null,
    started_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz
);
create unique index backfill_unfinished on control.backfill (apps, first_date, last_date) where finished_at is null;

-- What comparisons of lake, rollups and marts have found.
create table rollups.reconciliation (
    reconciliation_id bigint generated always as identity primary key,
    -- All kept history, or what was stored or computed since the one before.
    is_full boolean not null,
    started_at timestamptz not null,
    finished_at timestamptz not null,
    lake_version bigint not null,
    -- Place in the stream up to which the lake was read.
    through_seq bigint not null,
    compared bigint not null,
    -- Periods that were missing or wrong and are computed again: table, app_id, grain, period_start.
    wrong jsonb not null,
    -- Marts that show other numbers than the rollups, in words.
    marts jsonb not null
);

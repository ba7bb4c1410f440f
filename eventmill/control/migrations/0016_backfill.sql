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

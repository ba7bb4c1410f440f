-- Raw events that left the lake for the archive, and people who were erased.

-- A part is one Parquet file of the archive: events of an app, of home hours of one date. `written`: it is verified, the
-- lake may still hold its rows; `archived`: the lake does not; `restored`: the lake has them again.
create table control.archive_part (
    part_id uuid primary key,
    app_id text not null references control.app on delete cascade,
    event_date date not null,
    path text not null unique,
    sha256 text not null,
    bytes bigint not null,
    rows bigint not null check (rows >= 0),
    -- Home hour (0 to 23) → rows.
    hours jsonb not null,
    first_event_at timestamptz not null,
    last_event_at timestamptz not null,
    first_received_at timestamptz not null,
    last_received_at timestamptz not null,
    -- All rows of the app and these hours that arrived before this instant are in the part.
    received_before timestamptz not null,
    state text not null check (state in ('written', 'archived', 'restored')),
    written_at timestamptz not null default now(),
    archived_at timestamptz,
    -- Until then a restored part stays in the lake, although its rows are past the horizon.
    restored_until timestamptz,
    -- Events that were erased from the part, by UTC hour of arrival: the accounts still count them as stored, as do the
    -- rollups, which are not computed again before the part is restored.
    erased jsonb not null default '{}'
);
create index archive_part_by_date on control.archive_part (app_id, event_date);

-- The floor is what the parts say it is: beyond the last event that is in the archive alone.
create function control.floor_of_parts(wanted_app text) returns timestamptz language sql stable as $$
    select max(last_event_at) + interval '1 microsecond'
    from control.archive_part
    where app_id = wanted_app and state in ('written', 'archived')
$$;

-- One per installation: ids of persons are kept as hashes with it.
create table control.erasure_salt (
    only_row boolean primary key default true check (only_row),
    salt bytea not null
);

-- Certificates. Neither names nor ids: the subject is a salted hash.
create table control.erasure (
    erasure_id uuid primary key,
    app_id text not null references control.app on delete cascade,
    subject_sha256 text not null,
    finished_at timestamptz not null,
    certificate jsonb not null
);
create index erasure_by_app on control.erasure (app_id, finished_at desc);

-- Ids whose future events are filtered: counted, not stored.
create table control.suppression (
    app_id text not null references control.app on delete cascade,
    id_sha256 bytea not null,
    suppressed_at timestamptz not null default now(),
    primary key (app_id, id_sha256)
);

-- Stitching: up to where new pairs of ids were turned into dirty periods, and what became of anonymous ids.

create table rollups.identity_progress (
    only_row boolean primary key default true check (only_row),
    -- Place in the stream up to which pairs were looked at.
    stream_seq bigint not null,
    updated_at timestamptz not null
);

create table rollups.identity_count (
    app_id text primary key,
    -- Anonymous ids that belong to one user.
    stitched bigint not null,
    -- Anonymous ids seen with several users: they stay on their own.
    ambiguous bigint not null,
    computed_at timestamptz not null
);

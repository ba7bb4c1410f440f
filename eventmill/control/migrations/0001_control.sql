create schema if not exists control;

create table control.org (
    org_id text primary key,
    created_at timestamptz not null default now()
);

create table control.app (
    app_id text primary key check (app_id ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
    identifier uuid not null unique default gen_random_uuid(),
    name text not null check (length(name) between 1 and 200),
    org_id text not null references control.org,
    owner_id text,
    time_zone text not null default 'UTC',
    -- ISO weekday on which a week starts: 1 is Monday, 7 is Sunday.
    week_start smallint not null default 1 check (week_start between 1 and 7),
    -- Days after which an event is too old to be accepted; 0 keeps events for ever.
    retention_days integer not null default 90 check (retention_days >= 0),
    created_at timestamptz not null default now(),
    -- Set while a deletion is under way, so that it can be resumed and no new event is accepted meanwhile.
    deleted_at timestamptz
);

create table control.credential (
    credential_id uuid primary key default gen_random_uuid(),
    org_id text not null references control.org,
    kind text not null check (kind in ('write', 'read', 'admin')),
    -- The secret itself is never stored: the prefix finds the row, the digest proves the key.
    prefix text not null unique,
    sha256 bytea not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz
);

create table control.credential_app (
    credential_id uuid not null references control.credential on delete cascade,
    app_id text not null references control.app on delete cascade,
    primary key (credential_id, app_id)
);

create index credential_app_by_app on control.credential_app (app_id);

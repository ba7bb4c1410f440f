-- Access: what keys may see and who made them, sign-ins, what administrators did; saved dashboards and annotations.

alter table control.credential
-- What people call it; empty for those that came with the app.
add column name text not null default '' check (length(name) <= 200),
-- Beyond its kind: `people` lets a read key see single persons. An admin key needs none.
add column scopes text[] not null default '{}' check (scopes <@ '{people}');

-- What was done, written in the transaction that did it. What an administrator did outlives the app that it was done to.
create table control.audit (
    audit_id bigint generated always as identity primary key,
    at timestamptz not null default clock_timestamp(),
    app_id text references control.app on delete set null,
    -- `key:<prefix>` of an API key, `oidc:<subject>` of a token or a sign-in, `cli:<user>` of the command line.
    actor text not null,
    action text not null,
    -- What it was done to: an id, a prefix or a name; never a secret.
    target text not null default '',
    details jsonb not null default '{}'
);
create index audit_by_app on control.audit (app_id, audit_id desc);

-- Secrets that the replicas of a service share, made by the first that needs one.
create table control.signing_key (
    name text primary key,
    secret bytea not null,
    created_at timestamptz not null default now()
);

-- Who signed in with a browser. The cookie holds a token whose digest is here; apps and scopes are those of the sign-in.
create table control.web_session (
    sha256 bytea primary key,
    subject text not null,
    kind text not null check (kind in ('read', 'admin')),
    apps text[] not null,
    may_see_people boolean not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null
);
create index web_session_by_subject on control.web_session (subject);

-- Tokens and sign-ins of a subject that were issued before are worthless.
create table control.revoked_subject (
    subject text primary key,
    issued_before timestamptz not null
);

create table control.dashboard (
    dashboard_id uuid primary key default gen_random_uuid(),
    app_id text not null references control.app on delete cascade,
    name text not null check (length(name) between 1 and 200),
    widgets jsonb not null,
    -- Counts changes: whoever changes a dashboard says which version they saw.
    version integer not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create index dashboard_by_app on control.dashboard (app_id, name);

-- Links that show one dashboard to whoever has them; the token itself is not kept.
create table control.dashboard_share (
    share_id uuid primary key default gen_random_uuid(),
    dashboard_id uuid not null references control.dashboard on delete cascade,
    sha256 bytea not null unique,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    revoked_at timestamptz
);
create index dashboard_share_by_dashboard on control.dashboard_share (dashboard_id);

-- What people note beside the numbers; backfills and restatements are read from their own tables.
create table control.annotation (
    annotation_id uuid primary key default gen_random_uuid(),
    app_id text not null references control.app on delete cascade,
    starts_at timestamptz not null,
    -- Null: an instant.
    ends_at timestamptz check (ends_at > starts_at),
    text text not null check (length(text) between 1 and 1000),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create index annotation_by_app on control.annotation (app_id, starts_at);

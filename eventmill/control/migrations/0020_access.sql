-- Access: what keys may see and who made them, sign-ins, what administrators did; saved dashboards and annotations.

alter table control.credential
-- What people call it; empty for those that came with the app.
add column name text not null default '' check (length(name) <= 200),
-- Beyond its kind: `people` lets a read key see single persons. An admin key needs none.
add column scopes text[] not null default '{}' check (scopes <@ '{people}');

-- What administrators did, written by triggers in the transaction that did it, by whatever way they did it. It outlives
-- the app that it was done to.
create table control.audit (
    audit_id bigint generated always as identity primary key,
    at timestamptz not null default clock_timestamp(),
    app_id text references control.app on delete set null,
    -- `key:<prefix>` of an API key, `oidc:<subject>` of a token or a sign-in, `cli:<user>` of the command line.
    actor text not null,
    action text not null,
    -- What it was done to: an id, a prefix or a name; never a secret, an address or a person of an app.
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
    app_id text not null references control.app on delete cascade,
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

-- Who acts is a setting of the transaction or the session: services set none, and are no administrators.
create function control.actor() returns text language sql stable as $$
    select nullif(current_setting('eventmill.actor', true), '')
$$;

-- Arguments: what the table's rows are called, and the column that names one.
create function control.note_change() returns trigger language plpgsql as $$
declare
    kept jsonb := case tg_op when 'DELETE' then to_jsonb(old) else to_jsonb(new) end;
    app text := case when tg_table_name = 'app' and tg_op = 'DELETE' then null else kept ->> 'app_id' end;
    -- Names of columns, not what is in them.
    changed text[];
begin
    -- What goes with something else is not done for itself.
    if control.actor() is null or pg_trigger_depth() > 1 then
        return null;
    end if;
    if tg_op = 'UPDATE' then
        select array_agg(now.key order by now.key) into changed
        from jsonb_each(to_jsonb(new)) as now
        where now.value is distinct from to_jsonb(old) -> now.key and now.key not in ('updated_at', 'version');
        if changed is null then
            return null;
        end if;
    end if;
    -- What goes with its app is not done for itself either; a foreign key's deletions are of depth 1 too.
    if tg_op = 'DELETE' and app is not null and not exists (select from control.app as known where known.app_id = app) then
        return null;
    end if;
    if tg_table_name = 'backfill' and kept ->> 'apps' <> '' and position(',' in kept ->> 'apps') = 0 then
        app := kept ->> 'apps';
    end if;
    insert into control.audit (app_id, actor, action, target, details)
    values (
        app,
        control.actor(),
        tg_argv[0] || case tg_op when 'INSERT' then '.create' when 'UPDATE' then '.update' else '.delete' end,
        coalesce(kept ->> tg_argv[1], ''),
        case when changed is null then '{}' else jsonb_build_object('changed', changed) end
    );
    return null;
end
$$;

-- A key is of several apps: an entry for each.
create function control.note_key() returns trigger language plpgsql as $$
declare
    link record;
begin
    if control.actor() is null or pg_trigger_depth() > 1 then
        return null;
    end if;
    if tg_table_name = 'credential_app' then
        link := case tg_op when 'DELETE' then old else new end;
        -- A deleted app takes its keys along, and is noted for itself.
        insert into control.audit (app_id, actor, action, target, details)
        select
            link.app_id,
            control.actor(),
            case tg_op when 'INSERT' then 'key.create' else 'key.revoke' end,
            prefix,
            jsonb_build_object('kind', kind, 'name', name, 'scopes', scopes)
        from control.credential
        where credential_id = link.credential_id
            and exists (select from control.app where app.app_id = link.app_id);
    elsif (new.revoked_at, new.expires_at, new.allowed_origins, new.scopes, new.name)
        is distinct from (old.revoked_at, old.expires_at, old.allowed_origins, old.scopes, old.name) then
        insert into control.audit (app_id, actor, action, target, details)
        select
            app_id,
            control.actor(),
            case
                when new.revoked_at is distinct from old.revoked_at then 'key.revoke'
                when new.expires_at is distinct from old.expires_at then 'key.expire'
                else 'key.update'
            end,
            new.prefix,
            jsonb_build_object('kind', new.kind, 'name', new.name)
        from control.credential_app
        where credential_id = new.credential_id;
    end if;
    return null;
end
$$;

create trigger audited after insert or delete on control.credential_app
for each row execute function control.note_key();
create trigger audited after update on control.credential
for each row execute function control.note_key();
create trigger audited after insert or update or delete on control.app
for each row execute function control.note_change('app', 'app_id');
-- A filter's pattern may be somebody's address.
create trigger audited after insert or update or delete on control.filter
for each row execute function control.note_change('filter', 'kind');
create trigger audited after insert or update or delete on control.tracking_plan
for each row execute function control.note_change('plan', 'event_type');
create trigger audited after insert or update or delete on control.goal
for each row execute function control.note_change('goal', 'identifier');
create trigger audited after insert or update or delete on control.cohort
for each row execute function control.note_change('cohort', 'identifier');
create trigger audited after insert or update or delete on control.funnel
for each row execute function control.note_change('funnel', 'identifier');
create trigger audited after insert or update or delete on control.alert
for each row execute function control.note_change('alert', 'name');
create trigger audited after insert or update or delete on control.webhook
for each row execute function control.note_change('webhook', 'webhook_id');
create trigger audited after insert or update or delete on control.bi_role
for each row execute function control.note_change('bi_role', 'role_name');
create trigger audited after insert on control.backfill
for each row execute function control.note_change('backfill', 'backfill_id');
create trigger audited after insert on control.erasure
for each row execute function control.note_change('erasure', 'erasure_id');
create trigger audited after insert or update on control.revoked_subject
for each row execute function control.note_change('subject', 'subject');
create trigger audited after insert or update or delete on control.dashboard
for each row execute function control.note_change('dashboard', 'dashboard_id');
create trigger audited after insert or update or delete on control.dashboard_share
for each row execute function control.note_change('share', 'share_id');
create trigger audited after insert or update or delete on control.annotation
for each row execute function control.note_change('annotation', 'annotation_id');

-- Annotations ask by the day that is concerned.
create index restatement_by_date on rollups.restatement (app_id, local_date);

-- What the properties of an app's event types look like: JSON Schema, as text, so that it stays as it was given.
create table control.tracking_plan (
    app_id text not null references control.app on delete cascade,
    event_type text not null,
    schema text not null,
    action text not null check (action in ('flag', 'omit', 'quarantine')),
    updated_at timestamptz not null default now(),
    primary key (app_id, event_type)
);

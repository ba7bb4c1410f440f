-- Internal traffic that an app leaves out. Patterns are in their canonical form: a range, or a glob whose wildcard is *.
create table control.filter (
    app_id text not null references control.app on delete cascade,
    kind text not null check (kind in ('address', 'host', 'path')),
    pattern text not null,
    created_at timestamptz not null default now(),
    primary key (app_id, kind, pattern)
);

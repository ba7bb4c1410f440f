-- The secret with which an import hashes client addresses: the same at each import of an app, gone with the app.
create table control.import_salt (
    app_id text primary key references control.app on delete cascade,
    salt bytea not null
);

-- EVENTMILL_HISTORY_START of the running services (one row): an import asks here, whatever its own shell has set.
create table control.history (
    only_row boolean primary key default true check (only_row),
    starts_on date not null
);

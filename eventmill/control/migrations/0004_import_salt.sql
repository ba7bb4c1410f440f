-- The secret with which an import hashes client addresses: the same at each import of an app, gone with the app.
create table control.import_salt (
    app_id text primary key references control.app on delete cascade,
    salt bytea not null
);

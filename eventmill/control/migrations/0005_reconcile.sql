-- That somebody wants the rollups compared with the lake now, not at the next full hour (at most one row).
create table rollups.reconcile_request (
    only_row boolean primary key default true check (only_row),
    wanted_at timestamptz not null
);

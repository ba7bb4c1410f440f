-- The kept key sets of open periods: disposable, rebuilt from the lake whenever in doubt.
create table if not exists progress (stream_seq bigint, rows_in_lake bigint, definition_version varchar);

create sequence if not exists period_ids;

create table if not exists open_period (
    period_id bigint default nextval('period_ids'),
    app_id varchar,
    grain varchar,
    period_start timestamptz,
    lake_version bigint
);

-- One row a cut: its counts, and how many keys of each kind `cut_key` holds for it.
create table if not exists cut (
    cut_id ubigint primary key,
    period_id bigint,
    dimension varchar,
    value_kind varchar,
    value varchar,
    events bigint,
    human_events bigint,
    page_views bigint,
    human_page_views bigint,
    users bigint,
    human_users bigint,
    visitors bigint,
    human_visitors bigint,
    sessions bigint,
    human_sessions bigint
);

create table if not exists cut_key (period_id bigint, cut_id ubigint, key_kind varchar, key ubigint, is_human boolean);

-- Ids of events already counted or passed over, for the home hours in `covered_home`.
create table if not exists seen (home timestamp, event_hash ubigint);
create table if not exists covered_home (home timestamp);

-- For the accounts of arrivals: counted events of open hours, and copies left out of the home hours in `covered_home`.
create table if not exists open_arrival (
    period_id bigint,
    received_hour bigint,
    events bigint,
    primary key (period_id, received_hour)
);
create table if not exists left_out (app_id varchar, home timestamp, received_hour bigint, events bigint);

-- The kept key sets of open periods: disposable, rebuilt from the lake whenever in doubt.
create table if not exists progress (
    stream_seq bigint,
    rows_in_lake bigint,
    identity_seq bigint,
    definition_version varchar
);

create sequence if not exists period_ids;

create table if not exists open_period (
    period_id bigint default nextval('period_ids'),
    app_id varchar,
    grain varchar,
    period_start timestamptz,
    lake_version bigint
);

-- The numbers of every cut.
create table if not exists cut (
    period_id bigint,
    cut_id ubigint,
    dimension varchar,
    is_value boolean,
    events bigint,
    human_events bigint,
    page_views bigint,
    human_page_views bigint,
    users bigint,
    human_users bigint,
    visitors bigint,
    human_visitors bigint,
    sessions bigint,
    human_sessions bigint,
    primary key (period_id, cut_id)
);
create table if not exists cut_name (cut_id ubigint, dimension varchar, value_kind varchar, value varchar);
create table if not exists combo (combo ubigint, cut_id ubigint);

-- What the uniques are counted from. Actors are those that the events themselves name: `mapping` says who they are.
create table if not exists kept_key (
    period_id bigint,
    combo ubigint,
    actor ubigint,
    is_user boolean,
    session ubigint,
    is_human boolean,
    opens boolean
);
-- Sessions that servers send events of: whether they count, because a client has sent them too in an open period.
create table if not exists kept_opening (
    period_id bigint,
    session ubigint,
    is_opened boolean,
    is_opened_by_human boolean
);
create table if not exists kept_loose (
    period_id bigint,
    actor ubigint,
    is_human boolean,
    event_us bigint,
    combos ubigint[]
);

-- Pairs of the identity map; and the anonymous actors that belong to one user.
create table if not exists pair (actor ubigint, user_actor ubigint);
create table if not exists mapping (actor ubigint, user_actor ubigint);

-- The values that are told apart in the dimensions that have more, by traffic; and the uniques of the rows `other` that
-- the rest of these dimensions makes up.
create table if not exists kept_value (period_id bigint, dimension varchar, cut_id ubigint, is_of_humans boolean);
create table if not exists kept_other_unique (
    period_id bigint,
    other_id ubigint,
    users bigint,
    human_users bigint,
    visitors bigint,
    human_visitors bigint,
    sessions bigint,
    human_sessions bigint
);

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

-- Quarantined events that were sent again. Neither values nor ids of users: they stay in the lake.
create table control.quarantine_replay (
    app_id text not null references control.app on delete cascade,
    quarantine_id text not null,
    replayed_at timestamptz not null default now(),
    replayed_by text not null,
    -- Names of the fields that were set.
    changed text[] not null default '{}',
    events integer not null check (events > 0),
    message_id text not null,
    -- Where the broker stored it.
    stream_seq bigint not null,
    outcome text not null check (outcome in ('published', 'known_to_broker')),
    primary key (app_id, quarantine_id, replayed_at)
);

create index quarantine_replay_by_id on control.quarantine_replay (quarantine_id);

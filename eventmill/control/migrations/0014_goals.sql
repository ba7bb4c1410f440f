-- Goals whose days were asked for once, so that a new one is counted for all days that are still in the lake.
create table rollups.goal (
    goal_id uuid primary key references control.goal on delete cascade,
    app_id text not null,
    asked_at timestamptz not null
);

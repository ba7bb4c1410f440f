-- Days on which visitors were counted whose ids hold for that day: the web without cookies. Who comes back on another
-- day is another visitor there, so distinct visitors and sessions of several such days are valid per day alone.
-- A day without such visitors has no row. Days are computed again after this, for the SQL behind them is another one.
create table rollups.daily_visitor (
    app_id text not null,
    traffic text not null check (traffic in ('human', 'all')),
    period_start timestamptz not null,
    local_date date not null,
    visitors bigint not null check (visitors > 0),
    computed_at timestamptz not null,
    primary key (app_id, traffic, period_start)
) with (fillfactor = 80);

-- The session of every event that has one: (app_id, place, traffic) → session_key.
--
-- A run ends with a pause. It is cut at every local midnight by which the whole of it is at least a day old: from then
-- on each local day is a session. Only client events make a session; one of a server joins the last session of its id
-- that began before it and is not over or began at most 12 hours before, else the next that begins within half an hour,
-- else none: its session_key is null.
create or replace temp table event_session as
with
paused as (
    select
        *,
        epoch_us(event_time) as at_us,
        lag(epoch_us(event_time)) over (
            partition by app_id, run_key, traffic
            order by event_time, place
        ) as previous_us
    from run_event
    where is_client
),

runs as (
    select
        *,
        max(case when previous_us is null or at_us - previous_us > longest_pause(run_key) then at_us end) over (
            partition by app_id, run_key, traffic
            order by event_time, place
            rows unbounded preceding
        ) as run_us
    from paused
),

pieces as (
    select
        *,
        case when epoch_us(day_start) - run_us >= 86400000000 then epoch_us(day_start) else run_us end as piece_us
    from runs
),

started as (
    select
        *,
        min(at_us) over (partition by app_id, run_key, traffic, piece_us) as started_us
    from pieces
),

spans as (
    select
        app_id,
        run_key,
        traffic,
        started_us,
        max(at_us) as ended_us
    from started
    group by all
),

of_servers as (
    select
        *,
        epoch_us(event_time) as at_us
    from run_event
    where not is_client
),

joined as (
    select
        of_servers.*,
        case
            when joins_earlier(of_servers.at_us, earlier.started_us, earlier.ended_us) then earlier.started_us
            when joins_next(of_servers.at_us, later.started_us) then later.started_us
        end as started_us
    from of_servers
    asof left join spans as earlier
        on
            of_servers.app_id = earlier.app_id
            and of_servers.run_key = earlier.run_key
            and of_servers.traffic = earlier.traffic
            and of_servers.at_us >= earlier.started_us
    asof left join spans as later
        on
            of_servers.app_id = later.app_id
            and of_servers.run_key = later.run_key
            and of_servers.traffic = later.traffic
            and of_servers.at_us <= later.started_us
),

united as (
    select
        period_id,
        app_id,
        place,
        traffic,
        run_key,
        started_us
    from started
    union all
    select
        period_id,
        app_id,
        place,
        traffic,
        run_key,
        started_us
    from joined
)

select
    period_id,
    app_id,
    place,
    traffic,
    run_key || '/' || started_us as session_key
from united

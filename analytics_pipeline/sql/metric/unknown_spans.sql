-- Add to `session_span` what the days of sessions do not know yet, for ids of servers' events that join no session:
-- what clients send of them in wanted periods beside all spans that are known, as one session for each id, or as going
-- on with the session before.
create or replace temp table session_span as
with
missing as (
    select distinct
        app_id,
        session_id,
        traffic
    from server_join
    where started_us is null
),

clients as (
    select
        missing.app_id,
        missing.session_id,
        missing.traffic,
        epoch_us(events.event_time) as at_us
    from unique_events as events
    inner join wanted
        on
            events.app_id = wanted.app_id
            and events.event_time >= wanted.period_start
            and events.event_time < wanted.period_end
    inner join missing
        on
            events.app_id = missing.app_id
            and events.session_id = missing.session_id
            and (missing.traffic = 'all' or not events.is_bot)
    where events.source <> 'server'
),

uncovered as (
    select
        clients.*,
        earlier.started_us,
        earlier.ended_us
    from clients
    asof left join session_span as earlier
        on
            clients.app_id = earlier.app_id
            and clients.session_id = earlier.session_id
            and clients.traffic = earlier.traffic
            and clients.at_us >= earlier.started_us
    where earlier.ended_us is null or clients.at_us > earlier.ended_us
),

united as (
    from session_span
    union all by name
    select
        app_id,
        session_id,
        traffic,
        case when min(at_us) - ended_us <= 86400000000 then started_us else min(at_us) end as started_us,
        max(at_us) as ended_us
    from uncovered
    group by app_id, session_id, traffic, uncovered.started_us, uncovered.ended_us
)

select
    app_id,
    session_id,
    traffic,
    started_us,
    max(ended_us) as ended_us
from united
group by all

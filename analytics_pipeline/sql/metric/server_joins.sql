-- The session of `session_span` that each event of `server_event` joins, none where started_us is null. `is_own`: it
-- meets the period, so that what clients send of the id in the period is of the same session.
create or replace temp table server_join as
with found as (
    select
        event.*,
        case
            when joins_earlier(event.at_us, earlier.started_us, earlier.ended_us)
                then { 'started_us': earlier.started_us, 'ended_us': earlier.ended_us }
            when joins_next(event.at_us, later.started_us)
                then { 'started_us': later.started_us, 'ended_us': later.ended_us }
        end as span
    from server_event as event
    asof left join session_span as earlier
        on
            event.app_id = earlier.app_id
            and event.session_id = earlier.session_id
            and event.traffic = earlier.traffic
            and event.at_us >= earlier.started_us
    asof left join session_span as later
        on
            event.app_id = later.app_id
            and event.session_id = later.session_id
            and event.traffic = later.traffic
            and event.at_us <= later.started_us
)

select
    period_id,
    app_id,
    session_id,
    place,
    traffic,
    span['started_us'] as started_us,
    coalesce(span['started_us'] < end_us and span['ended_us'] >= start_us, false) as is_own
from found

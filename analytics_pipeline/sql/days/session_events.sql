-- `actor_events` of the computed days with their session, once per traffic: numbers of humans are those of the traffics
-- `both` and `human`, numbers of all those of `both` and `all`. Events without a session have no session_key.
create or replace temp view session_events as
select
    events.*,
    wanted.period_id,
    wanted.period_start,
    wanted.local_date,
    session_event.session_key,
    coalesce(session_event.traffic, case when events.is_bot then 'all' else 'both' end) as traffic
from actor_events as events
inner join wanted
    on
        events.app_id = wanted.app_id
        and events.event_time >= wanted.period_start
        and events.event_time < wanted.period_end
left join session_event
    on events.app_id = session_event.app_id and events.place = session_event.place

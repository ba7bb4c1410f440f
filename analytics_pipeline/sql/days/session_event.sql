-- The session of every event of the computed days that has one, in the traffics of `session_row`.
create or replace temp table session_event as
select
    event_session.period_id,
    event_session.app_id,
    event_session.place,
    event_session.session_key,
    coalesce(merged.traffic, event_session.traffic) as traffic
from event_session
left join session_row as merged
    on
        event_session.app_id = merged.app_id
        and event_session.session_key = merged.session_key
        and merged.traffic = 'both'
where
    event_session.period_id is not null
    and (event_session.traffic <> 'human' or merged.traffic is null)

-- In open periods an event of a server has its session's number in `session` alone: whether that session counts is told
-- by `opening` and `whole_opening`.
create or replace temp table server_session as
select
    wanted.period_id,
    place_of(events.stream_seq, events.row_no) as place,
    key_of(events.app_id, events.session_id) as session,
    0::ubigint as human_session
from unique_events as events
inner join wanted
    on
        events.app_id = wanted.app_id
        and events.event_time >= wanted.period_start
        and events.event_time < wanted.period_end
where events.source = 'server' and events.session_id is not null

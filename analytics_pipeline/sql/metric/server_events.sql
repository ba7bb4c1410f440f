-- Events of servers in wanted periods that carry a session's id, once per traffic, and the different ids.
create or replace temp table server_event as
select
    wanted.period_id,
    epoch_us(wanted.period_start) as start_us,
    epoch_us(wanted.period_end) as end_us,
    events.app_id,
    events.session_id,
    place_of(events.stream_seq, events.row_no) as place,
    epoch_us(events.event_time) as at_us,
    unnest(case when events.is_bot then ['all'] else ['all', 'human'] end) as traffic
from unique_events as events
inner join wanted
    on
        events.app_id = wanted.app_id
        and events.event_time >= wanted.period_start
        and events.event_time < wanted.period_end
where events.source = 'server' and events.session_id is not null;

create or replace temp table server_key as
select distinct
    app_id,
    session_id
from server_event

-- Unique events, each in every wanted period that it lies in.
-- `key_of` is the identity for exact text keys, or a hash for the kept key sets of open periods.
create or replace temp table counted as
select
    wanted.period_id,
    not events.is_bot as is_human,
    events.event_type in ('page_view', 'screen_view') as is_view,
    key_of(events.user_id) as user_key,
    key_of(case
        when events.user_id is not null then 'u' || events.user_id
        when events.anonymous_id is not null then 'a' || events.anonymous_id
        else 's' || events.session_id
    end) as visitor_key,
    key_of(events.session_id) as session_key,
    hour_number(events.received_at) as received_hour,
    events.source,
    -- Postgres cannot store NUL, and its index cannot hold an address of thousands of characters.
    replace(events.event_type, chr(0), '�') as event_type,
    replace(events.event_name, chr(0), '�') as event_name,
    left(replace(events.page_url, chr(0), '�'), 500) as page_url
from unique_events as events
inner join wanted
    on
        events.app_id = wanted.app_id
        and events.event_time >= wanted.period_start
        and events.event_time < wanted.period_end

-- Counted events, each in every wanted period that it lies in: ids and sets of values as numbers. `session` and
-- `human_session`, where bots are as if absent, are 0 where the event is of no client's session.
create or replace temp table counted as
select
    wanted.period_id,
    not events.is_bot as is_human,
    events.is_view,
    events.actor_user_id is not null as is_user,
    key_of(events.app_id, events.actor) as actor,
    case
        when events.session_id is null then 0
        -- What a server sends opens no session: it joins one.
        when events.source = 'server' then coalesce(server_session.session, 0)
        else key_of(events.app_id, events.session_id)
    end as session,
    case
        when events.session_id is null then 0
        when events.source = 'server' then coalesce(server_session.human_session, 0)
        else key_of(events.app_id, events.session_id)
    end as human_session,
    case when events.session_id is null and events.source <> 'server' then epoch_us(events.event_time) end as loose_us,
    hour_number(events.received_at) as received_hour,
    case
        when wanted.grain = 'hour' then hour_profile(events.source, events.country, events.device_type, events.os)
        else day_profile(
            events.source, events.country, events.device_type, events.os, events.browser, events.app_version
        )
    end as profile,
    case
        when wanted.grain = 'hour' then hour_event(events.source, events.event_type, events.event_name)
        else day_event(events.source, events.event_type, events.event_name, events.os)
    end as event,
    case when events.is_view then page_combo(events.page_url) end as page,
    case when wanted.grain <> 'hour' then acquisition_combo(
        events.referrer_host, events.channel, events.utm_source, events.utm_medium, events.utm_campaign
    ) end as acquisition
from actor_events as events
inner join wanted
    on
        events.app_id = wanted.app_id
        and events.event_time >= wanted.period_start
        and events.event_time < wanted.period_end
left join server_session
    on
        wanted.period_id = server_session.period_id
        and events.place = server_session.place
        and events.source = 'server'

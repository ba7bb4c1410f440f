-- Events of the local days in `local_day`: those that are computed have a period_id, those around them none.
create or replace temp table source_event as
select
    local_day.period_id,
    local_day.day_start,
    events.app_id,
    events.place,
    events.event_time,
    events.actor,
    events.actor_user_id is not null as is_user,
    events.session_id,
    not events.is_bot as is_human,
    events.source <> 'server' as is_client,
    events.is_view,
    is_interactive(events.properties) as is_interactive,
    text_of(events.event_type) as event_type,
    text_of(events.event_name) as event_name,
    events.source,
    text_of(events.page_url) as page_url,
    text_of(events.referrer_host) as referrer_host,
    events.channel,
    text_of(events.utm_source) as utm_source,
    text_of(events.utm_medium) as utm_medium,
    text_of(events.utm_campaign) as utm_campaign,
    text_of(events.country) as country,
    text_of(events.device_type) as device_type,
    text_of(events.os) as os,
    text_of(events.browser) as browser,
    text_of(events.app_version) as app_version,
    case when local_day.period_id is not null then amount_of(events.properties) end as amount,
    case when local_day.period_id is not null then currency_of(events.properties) end as currency
from actor_events as events
inner join local_day
    on
        events.app_id = local_day.app_id
        and events.event_time >= local_day.day_start
        and events.event_time < local_day.day_end

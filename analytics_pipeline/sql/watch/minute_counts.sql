-- Counted events of each wanted hour by the minute in which they happened; minutes without any have no row.
select
    wanted.period_id,
    (epoch_us(events.event_time) - epoch_us(wanted.period_start)) // 60000000 as minute,
    count(*)::bigint as events,
    (count(*) filter (
        where events.event_type in ('page_view', 'screen_view') and not events.is_bot
    ))::bigint as page_views
from unique_events as events
inner join wanted
    on
        events.app_id = wanted.app_id
        and events.event_time >= wanted.period_start
        and events.event_time < wanted.period_end
group by all

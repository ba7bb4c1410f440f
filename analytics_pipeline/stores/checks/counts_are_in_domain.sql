-- Counts are not negative, people's are part of all, views are events, and every distinct thing needs an event.
select
    human.app_id,
    format(
        '%s of %s, %s %s: events %s, page_views %s, users %s, visitors %s, sessions %s (people: %s, %s, %s, %s, %s)',
        human.grain, human.local_date, human.dimension, human.value, total.events, total.page_views, total.users,
        total.visitors, total.sessions, human.events, human.page_views, human.users, human.visitors, human.sessions
    ) as line
from rollups.metric as human
inner join rollups.metric as total
    using (app_id, grain, period_start, dimension, value_kind, value)
inner join recent using (app_id, grain, period_start)
where
    human.traffic = 'human' and total.traffic = 'all'
    and not (
        least(human.events, human.page_views, human.users, human.visitors, human.sessions) >= 0
        and human.events <= total.events and human.page_views <= total.page_views and human.users <= total.users
        and human.visitors <= total.visitors and human.sessions <= total.sessions
        and total.page_views <= total.events and total.visitors <= total.events and total.sessions <= total.events
        and (total.events = 0 or total.visitors > 0)
    )

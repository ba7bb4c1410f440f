-- Bounces are sessions with a view, these are sessions, entries of a dimension add up to the total.
with sums as (
    select
        session.app_id,
        session.local_date,
        session.traffic,
        session.dimension,
        session.grain,
        session.period_start,
        sum(session.sessions_started) as sessions,
        bool_and(
            session.bounces between 0 and session.sessions_with_views
            and session.sessions_with_views <= session.sessions_started
            and session.views >= session.sessions_with_views
            and session.duration_seconds >= 0
            and session.duration_seconds <= session.sessions_started * 176400.0
        ) as is_in_domain
    from rollups.session_metric as session
    inner join recent_sessions using (app_id, period_start)
    where session.grain = 'day'
    group by
        session.app_id, session.local_date, session.traffic, session.dimension, session.grain, session.period_start
)

select
    cut.app_id,
    format(
        'day of %s, %s, by %s: sessions %s, in total %s%s', cut.local_date, cut.traffic, cut.dimension, cut.sessions,
        total.sessions, case when cut.is_in_domain then '' else '; bounces, views or durations out of bounds' end
    ) as line
from sums as cut
inner join sums as total using (app_id, grain, period_start, traffic)
where total.dimension = 'total' and (cut.sessions <> total.sessions or not cut.is_in_domain)

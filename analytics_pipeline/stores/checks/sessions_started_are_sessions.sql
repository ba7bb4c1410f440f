-- A session that started on a day had an event on it. Only days whose both numbers are settled are compared.
select
    started.app_id,
    format(
        'day of %s, %s: sessions started %s, unique sessions %s',
        started.local_date, started.traffic, started.sessions_started, metric.sessions
    ) as line
from rollups.session_metric as started
inner join recent_sessions using (app_id, period_start)
inner join rollups.periods as counted
    on
        started.app_id = counted.app_id
        and started.period_start = counted.period_start
        and counted.table_name = 'metric'
        and counted.grain = 'day'
        and counted.dirty_since is null
        and counted.closed_at is not null
        and recent_sessions.computed_version <= counted.computed_version
inner join rollups.metric
    on
        started.app_id = metric.app_id
        and started.grain = metric.grain
        and started.period_start = metric.period_start
        and started.traffic = metric.traffic
        and started.dimension = metric.dimension
where
    started.grain = 'day' and started.dimension = 'total' and started.sessions_started > metric.sessions

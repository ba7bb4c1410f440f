-- A session that reached a goal is one that started on that day, and each had an event that did it.
-- Compared where the day's sessions are settled, and were not computed from an older version of the lake.
with settled as (
    select
        goals.app_id,
        goals.period_start
    from rollups.periods as goals
    inner join recent_sessions
        on
            goals.app_id = recent_sessions.app_id
            and goals.period_start = recent_sessions.period_start
            and goals.computed_version <= recent_sessions.computed_version
    where goals.table_name = 'goals' and goals.grain = 'day' and goals.dirty_since is null
)

select
    goal.app_id,
    format(
        'day of %s, %s, %s %s: goal %s has events %s, visitors %s, sessions %s; sessions started %s',
        goal.local_date, goal.traffic, goal.dimension, goal.value, goal.goal_id, goal.events, goal.visitors,
        goal.sessions, started.sessions_started
    ) as line
from rollups.goal_metric as goal
inner join settled using (app_id, period_start)
left join rollups.session_metric as started
    on
        goal.app_id = started.app_id
        and started.grain = 'day'
        and goal.period_start = started.period_start
        and goal.traffic = started.traffic
        and started.dimension = 'total'
where
    least(goal.events, goal.visitors, goal.sessions) < 0
    or goal.sessions > goal.events
    or goal.visitors > goal.events
    or goal.sessions > coalesce(started.sessions_started, 0)

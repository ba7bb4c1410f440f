-- A longer period has the sum of its parts' events, at least the largest part's uniques, at most their sum.
-- Of a period whose parts were computed from another version of the lake nothing can be said.
with periods as (
    select
        long.app_id,
        long.grain,
        long.period_start,
        long.period_end,
        long.computed_version,
        part.grain as part_grain
    from rollups.periods as long
    inner join recent using (app_id, grain, period_start)
    inner join (values ('day', 'hour'), ('week', 'day'), ('month', 'day')) as part (whole, grain)
        on long.grain = part.whole
    where long.table_name = 'metric' and long.dirty_since is null and long.closed_at is not null
),

settled as (
    select periods.*
    from periods
    where not exists (
        select from rollups.periods as part
        where
            part.table_name = 'metric'
            and part.app_id = periods.app_id
            and part.grain = periods.part_grain
            and part.period_start >= periods.period_start
            and part.period_start < periods.period_end
            and (part.dirty_since is not null or part.computed_version > periods.computed_version)
    )
),

compared as (
    select
        settled.app_id,
        settled.grain,
        long.local_date,
        long.traffic,
        long.events,
        sum(part.events) as part_events,
        unnest(array['users', 'visitors', 'sessions']) as name,
        unnest(array[long.users, long.visitors, long.sessions]) as uniques,
        unnest(array[max(part.users), max(part.visitors), max(part.sessions)]) as least,
        unnest(array[sum(part.users), sum(part.visitors), sum(part.sessions)]) as most
    from settled
    inner join rollups.metric as long using (app_id, grain, period_start)
    left join rollups.metric as part
        on
            settled.app_id = part.app_id
            and settled.part_grain = part.grain
            and part.dimension = 'total'
            and long.traffic = part.traffic
            and settled.period_start <= part.period_start
            and settled.period_end > part.period_start
    where long.dimension = 'total'
    group by
        settled.app_id, settled.grain, long.local_date, long.traffic, long.events, long.users, long.visitors,
        long.sessions
)

select
    app_id,
    format(
        '%s of %s, %s: events %s, of its parts %s; %s %s, of its parts %s to %s',
        grain, local_date, traffic, events, part_events, name, uniques, least, most
    ) as line
from compared
where events is distinct from part_events or uniques < least or uniques > most

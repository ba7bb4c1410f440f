-- The rows of rollups.daily_visitor: visitors of a day who are known by an id of that day alone.
with
traffics as (
    select unnest(['human', 'all']) as traffic
)

select
    wanted_period.app_id,
    traffics.traffic,
    wanted_period.period_start,
    wanted_period.local_date,
    count(*) as visitors
from actor_day
inner join wanted_period on actor_day.period_id = wanted_period.day_id and wanted_period.grain = 'day'
cross join traffics
where
    actor_day.dimension = 'total'
    and starts_with(actor_day.actor, getvariable('daily_prefix'))
    and (traffics.traffic = 'all' or actor_day.human_events > 0)
group by all

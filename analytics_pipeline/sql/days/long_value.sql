-- Every value that a dimension has in a week or month, once per traffic, by the events of its days: the top 1,000 keep
-- their name. `long_day` says which local days make up a period; `actor_days` holds these days.
create or replace temp table long_value as
with
traffics as (
    select unnest(['human', 'all']) as traffic
),

summed as (
    select
        long_day.period_id,
        traffics.traffic,
        actor_days.dimension,
        actor_days.value_kind,
        actor_days.value,
        sum(case when traffics.traffic = 'all' then actor_days.events else actor_days.human_events end) as events
    from actor_days
    inner join long_day using (app_id, local_date)
    inner join traffics on traffics.traffic = 'all' or actor_days.human_events > 0
    group by all
),

ranked as (
    select
        *,
        row_number() over (
            partition by period_id, traffic, dimension, value_kind
            order by events desc, value asc
        ) as place
    from summed
)

select
    period_id,
    traffic,
    dimension,
    value_kind,
    value,
    case when place <= 1000 then value_kind else 'other' end as kept_kind,
    case when place <= 1000 then value else '' end as kept_value
from ranked

-- Local dates on which somebody was seen whom an id of `changed_id` belonged to or belongs to now.
with actors as (
    select
        app_id,
        unnest(['a' || anonymous_id, 'u' || user_before, 'u' || user_now]) as actor
    from changed_id
)

select distinct actor_days.local_date
from actor_days
semi join actors using (app_id, actor)
where actor_days.dimension = 'total'

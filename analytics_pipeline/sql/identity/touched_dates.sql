-- Local dates on which somebody was seen whom an id of `changed_id` belongs to, or did for however short a time.
with actors as (
    select
        app_id,
        'a' || anonymous_id as actor
    from changed_id
    union
    select
        app_id,
        'u' || user_id as actor
    from identity_map
    semi join changed_id using (app_id, anonymous_id)
)

select distinct actor_days.local_date
from actor_days
semi join actors using (app_id, actor)
where actor_days.dimension = 'total'

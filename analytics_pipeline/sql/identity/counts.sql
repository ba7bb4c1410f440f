-- What became of every app's anonymous ids: (app_id) → stitched to one user, ambiguous.
with
ids as (
    select
        app_id,
        anonymous_id,
        count(distinct user_id) as users
    from identity_map
    group by all
)

select
    app_id,
    count(*) filter (where users = 1) as stitched,
    count(*) filter (where users > 1) as ambiguous
from ids
group by all

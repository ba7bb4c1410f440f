-- Anonymous ids that belong to one user, from the pairs in `identity_map`. Those seen with several stay on their own.
create or replace temp table stitched as
select
    app_id,
    anonymous_id,
    min(user_id) as user_id
from identity_map
group by all
having count(distinct user_id) = 1

-- Anonymous ids that belong to another user, or to none any more, since the pairs up to the variable `since`. Those
-- that were new and are ambiguous already belonged to a user in between, when something may have been counted.
create or replace temp table changed_id as
with
touched as (
    select distinct
        app_id,
        anonymous_id
    from identity_map
    where stream_seq > getvariable('since')
),

before_and_now as (
    select
        identity_map.app_id,
        identity_map.anonymous_id,
        min(identity_map.user_id) as user_now,
        count(distinct identity_map.user_id) as users_now,
        min(identity_map.user_id) filter (where identity_map.stream_seq <= getvariable('since')) as user_before,
        count(distinct identity_map.user_id) filter (where identity_map.stream_seq <= getvariable('since'))
            as users_before
    from identity_map
    semi join touched using (app_id, anonymous_id)
    group by all
)

select
    app_id,
    anonymous_id,
    case when users_before = 1 then user_before end as user_before,
    case when users_now = 1 then user_now end as user_now
from before_and_now
where
    case when users_now = 1 then user_now end is distinct from case when users_before = 1 then user_before end
    or (users_before = 0 and users_now > 1)

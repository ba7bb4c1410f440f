-- Take new pairs of the identity map (`fresh_pair`) in: `changed_mapping` tells whose user is another one now.
insert into pair
select
    actor,
    user_actor
from fresh_pair;

create or replace temp table changed_mapping as
with
after_pairs as (
    select
        actor,
        min(user_actor) as user_actor
    from pair
    semi join fresh_pair using (actor)
    group by actor
    having count(distinct user_actor) = 1
)

select
    actor,
    mapping.user_actor as user_before,
    after_pairs.user_actor as user_after
from (select distinct actor from fresh_pair) as affected
left join mapping using (actor)
left join after_pairs using (actor)
where mapping.user_actor is distinct from after_pairs.user_actor

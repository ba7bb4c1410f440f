-- Keep the numbers and keys of periods that were counted whole (`cut_total`, `ranked`, `fresh_key`, `fresh_loose`), and
-- which of their values are told apart, where some are not.
insert into cut by name
select
    cut_total.*,
    cut_name.dimension,
    cut_name.value_kind = 'value' as is_value
from cut_total
inner join cut_name using (cut_id);

insert into kept_key
select
    period_id,
    combo,
    actor,
    is_user,
    session,
    is_human,
    human_session <> 0 as opens
from fresh_key;

insert into kept_loose
from fresh_loose;

insert into kept_value by name
with crowded as (
    select
        period_id,
        dimension,
        bool_or(is_other) as is_crowded,
        bool_or(is_other_of_humans) as is_crowded_of_humans
    from other_cut
    group by all
)

select
    ranked.period_id,
    ranked.dimension,
    ranked.cut_id,
    false as is_of_humans
from ranked
inner join crowded using (period_id, dimension)
where ranked.is_kept and ranked.value_kind = 'value' and crowded.is_crowded
union all
select
    ranked.period_id,
    ranked.dimension,
    ranked.cut_id,
    true as is_of_humans
from ranked
inner join crowded using (period_id, dimension)
where ranked.is_kept_of_humans and ranked.value_kind = 'value' and crowded.is_crowded_of_humans;

insert into kept_other_unique by name
from other_unique

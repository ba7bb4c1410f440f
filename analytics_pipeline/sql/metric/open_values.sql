-- Which values are kept of the dimensions that have more (`ranked`, `other_cut`). `moved_period` are those of which a
-- value that was handed out has to go, or might have to: they are handed out whole.
create or replace temp table kept_now as
with
dimensions as (
    select distinct
        period_id,
        dimension
    from other_cut
)

select
    ranked.period_id,
    ranked.dimension,
    ranked.cut_id,
    false as is_of_humans
from ranked
semi join dimensions using (period_id, dimension)
where ranked.is_kept
union all
select
    ranked.period_id,
    ranked.dimension,
    ranked.cut_id,
    true as is_of_humans
from ranked
semi join dimensions using (period_id, dimension)
where ranked.is_kept_of_humans;

create or replace temp table moved_period as
select kept_value.period_id
from kept_value
semi join ranked using (period_id)
anti join kept_now using (period_id, cut_id, is_of_humans)
union
select kept_now.period_id
from kept_now
anti join kept_value using (period_id, dimension);

insert into changed
select
    kept_now.period_id,
    kept_now.cut_id
from kept_now
anti join kept_value using (period_id, cut_id, is_of_humans);

delete from kept_value
where period_id in (select period_id from ranked);

insert into kept_value
from kept_now;

-- What is handed out: all of the periods in `whole_period`, the changed cuts and `other` of the rest.
create or replace temp view result as
select * from ranked
where
    period_id in (select period_id from whole_period)
    or (period_id, cut_id) in (select (period_id, cut_id) from changed)
union all by name
select
    *,
    'other' as value_kind,
    '' as value,
    events > 0 as is_kept,
    human_events > 0 as is_kept_of_humans
from other_total

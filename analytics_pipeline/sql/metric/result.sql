-- What is handed out of `ranked` and `other_total`.
create or replace temp view result as
select * from ranked
union all by name
select
    *,
    'other' as value_kind,
    '' as value,
    events > 0 as is_kept,
    human_events > 0 as is_kept_of_humans
from other_total

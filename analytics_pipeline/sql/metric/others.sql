-- Uniques of the rows `other`, from all keys: (period_id, other_id) → numbers.
create or replace temp table other_key as
from other_keys('cut_key', 'other_combo');

create or replace temp table other_run as
from other_runs('cut_run', 'other_combo');

create or replace temp table other_unique as
with
parts as (
    from other_visitors_in('other_key')
    union all by name
    from other_sessions_in('other_key')
    union all by name
    from other_runs_in('other_run')
)

select
    period_id,
    other_id,
    coalesce(sum(columns(* exclude (period_id, other_id)))::bigint, 0)
from parts
group by period_id, other_id;

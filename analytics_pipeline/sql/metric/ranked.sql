-- The cuts of `cut_total` with their names, and whether each is among the values that are kept: in the traffic `human`
-- bots' events are as if absent, so it may keep other values.
create or replace temp table ranked as
with
named as (
    select
        cut_total.*,
        cut_name.dimension,
        cut_name.value_kind,
        cut_name.value
    from cut_total
    inner join cut_name using (cut_id)
)

select
    *,
    value_kind <> 'value' or row_number() over (
        partition by period_id, dimension, value_kind
        order by events desc, value asc
    ) <= kept_values() as is_kept,
    human_events > 0 and (value_kind <> 'value' or row_number() over (
        partition by period_id, dimension, value_kind
        order by human_events desc, value asc
    ) <= kept_values()) as is_kept_of_humans
from named;

-- The rest of a dimension, `other`, is a cut of its own: its events add up, its uniques are counted from the keys.
create or replace temp table other_cut as
select distinct
    period_id,
    dimension,
    cut_id,
    other_of(dimension) as other_id,
    not is_kept as is_other,
    human_events > 0 and not is_kept_of_humans as is_other_of_humans
from ranked
where not is_kept or (human_events > 0 and not is_kept_of_humans);

create or replace temp table other_combo as
select
    other_cut.*,
    combo.combo
from other_cut
inner join combo using (cut_id);

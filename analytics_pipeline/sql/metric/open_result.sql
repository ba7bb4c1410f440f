-- What is handed out: all of the periods in `whole_period`, the changed cuts of the rest, and the rows `other` of both.
create or replace temp table told_period as
select period_id from whole_period
union
select period_id from changed;

create or replace temp table kept_flag as
select
    period_id,
    cut_id,
    bool_or(not is_of_humans) as is_kept,
    bool_or(is_of_humans) as is_kept_of_humans
from kept_value
semi join told_period using (period_id)
group by all;

create or replace temp table crowd as
select
    period_id,
    dimension,
    bool_or(not is_of_humans) as is_crowded,
    bool_or(is_of_humans) as is_crowded_of_humans
from kept_value
semi join told_period using (period_id)
group by all;

create or replace temp table other_total as
with
sums as (
    select
        cut.period_id,
        cut.dimension,
        sum(cut.events) filter (where crowd.is_crowded and not coalesce(kept_flag.is_kept, false)) as events,
        sum(cut.page_views) filter (where crowd.is_crowded and not coalesce(kept_flag.is_kept, false)) as page_views,
        sum(cut.human_events) filter (
            where crowd.is_crowded_of_humans and not coalesce(kept_flag.is_kept_of_humans, false)
        ) as human_events,
        sum(cut.human_page_views) filter (
            where crowd.is_crowded_of_humans and not coalesce(kept_flag.is_kept_of_humans, false)
        ) as human_page_views
    from cut
    inner join crowd using (period_id, dimension)
    left join kept_flag using (period_id, cut_id)
    where cut.is_value
    group by all
)

select
    sums.period_id,
    kept_other_unique.other_id as cut_id,
    sums.dimension,
    coalesce(sums.events, 0)::bigint as events,
    coalesce(sums.human_events, 0)::bigint as human_events,
    coalesce(sums.page_views, 0)::bigint as page_views,
    coalesce(sums.human_page_views, 0)::bigint as human_page_views,
    kept_other_unique.* exclude (period_id, other_id)
from sums
inner join kept_other_unique
    on sums.period_id = kept_other_unique.period_id and other_of(sums.dimension) = kept_other_unique.other_id;

create or replace temp table told_cut as
select cut.* exclude (dimension)
from cut
semi join whole_period using (period_id)
union all
select cut.* exclude (dimension)
from cut
semi join changed using (period_id, cut_id)
anti join whole_period using (period_id);

create or replace temp view result as
select
    told_cut.*,
    cut_name.dimension,
    cut_name.value_kind,
    cut_name.value,
    coalesce(kept_flag.is_kept, false) or not (told_cut.is_value and coalesce(crowd.is_crowded, false)) as is_kept,
    told_cut.human_events > 0 and (
        coalesce(kept_flag.is_kept_of_humans, false)
        or not (told_cut.is_value and coalesce(crowd.is_crowded_of_humans, false))
    ) as is_kept_of_humans
from told_cut
inner join cut_name using (cut_id)
left join crowd on told_cut.period_id = crowd.period_id and cut_name.dimension = crowd.dimension
left join kept_flag on told_cut.period_id = kept_flag.period_id and told_cut.cut_id = kept_flag.cut_id
union all by name
select
    *,
    false as is_value,
    'other' as value_kind,
    '' as value,
    events > 0 as is_kept,
    human_events > 0 as is_kept_of_humans
from other_total

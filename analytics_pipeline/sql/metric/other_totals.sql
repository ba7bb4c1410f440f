-- The rows `other`: what adds up over their values, and `other_unique`.
create or replace temp table other_total as
with
sums as (
    select
        other_cut.period_id,
        other_cut.dimension,
        other_cut.other_id,
        sum(ranked.events) filter (where other_cut.is_other) as events,
        sum(ranked.human_events) filter (where other_cut.is_other_of_humans) as human_events,
        sum(ranked.page_views) filter (where other_cut.is_other) as page_views,
        sum(ranked.human_page_views) filter (where other_cut.is_other_of_humans) as human_page_views
    from other_cut
    inner join ranked using (period_id, cut_id)
    group by all
)

select
    sums.period_id,
    sums.other_id as cut_id,
    sums.dimension,
    coalesce(sums.events, 0)::bigint as events,
    coalesce(sums.human_events, 0)::bigint as human_events,
    coalesce(sums.page_views, 0)::bigint as page_views,
    coalesce(sums.human_page_views, 0)::bigint as human_page_views,
    other_unique.* exclude (period_id, other_id)
from sums
inner join other_unique using (period_id, other_id)

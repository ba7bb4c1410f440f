-- What adds up, for every cut of `fresh_key`: (period_id, cut_id) → events and views, of all and of humans.
create or replace temp table cut_counts as
with
by_combo as (
    select
        period_id,
        combo,
        is_human,
        sum(events) as events,
        sum(views) as views
    from fresh_key
    group by all
)

select
    by_combo.period_id,
    combo.cut_id,
    sum(by_combo.events)::bigint as events,
    coalesce(sum(by_combo.events) filter (where by_combo.is_human), 0)::bigint as human_events,
    sum(by_combo.views)::bigint as page_views,
    coalesce(sum(by_combo.views) filter (where by_combo.is_human), 0)::bigint as human_page_views
from by_combo
inner join combo using (combo)
group by all

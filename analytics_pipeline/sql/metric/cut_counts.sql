-- What adds up, for every cut: (period_id, dimension, value_kind, value) → events and views, of all and of humans.
create or replace temp table cut_counts as
with
finest as (
    select
        period_id,
        source,
        event_type,
        event_name,
        count(*) as events,
        count(*) filter (where is_human) as human_events,
        count(*) filter (where is_view) as page_views,
        count(*) filter (where is_view and is_human) as human_page_views
    from counted
    group by all
),

by_event as (
    select
        period_id,
        dimension_of(grouping(source, event_type, event_name)) as dimension,
        value_of(grouping(source, event_type, event_name), source, event_type, event_name) as value,
        sum(events)::bigint as events,
        sum(human_events)::bigint as human_events,
        sum(page_views)::bigint as page_views,
        sum(human_page_views)::bigint as human_page_views
    from finest
    group by grouping sets (
        (period_id),
        (period_id, source),
        (period_id, event_type),
        (period_id, event_name),
        (period_id, source, event_name)
    )
),

-- A page's numbers are those of its views.
by_page as (
    select
        period_id,
        'page_url' as dimension,
        page_url as value,
        count(*) as events,
        count(*) filter (where is_human) as human_events,
        count(*) as page_views,
        count(*) filter (where is_human) as human_page_views
    from counted
    where is_view
    group by all
),

united as (
    from by_event
    union all
    from by_page
)

select
    period_id,
    dimension,
    kind_of(dimension, value) as value_kind,
    coalesce(value, '') as value,
    events,
    human_events,
    page_views,
    human_page_views
from united

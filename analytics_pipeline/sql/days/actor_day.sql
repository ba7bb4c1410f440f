-- The rows of the lake table actor_days: an actor's events of a day with one value of a dimension.
create or replace temp table actor_day as
select
    period_id,
    dimension,
    value_kind,
    value,
    actor,
    bool_or(is_user) as is_user,
    count(*) as events,
    count(*) filter (where is_human) as human_events,
    count(*) filter (where is_view) as page_views,
    count(*) filter (where is_view and is_human) as human_page_views
from dimension_event
group by period_id, dimension, value_kind, value, actor

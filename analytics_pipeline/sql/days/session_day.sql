-- The rows of the lake table session_days: sessions with an event of a day with one value of a dimension.
create or replace temp table session_day as
select distinct
    dimension_event.period_id,
    dimension_event.dimension,
    dimension_event.value_kind,
    dimension_event.value,
    session_event.session_key,
    session_event.traffic
from dimension_event
inner join session_event using (app_id, place)
where session_event.session_key is not null

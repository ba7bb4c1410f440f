-- Stored copies that readers leave out (`copies` are those of `lake`), by home hour and hour of arrival.
select
    lake.app_id,
    lake.event_date + to_hours(lake.event_hour) as home,
    hour_number(lake.received_at) as received_hour,
    count(*) as events
from lake
inner join copies using (event_date, event_hour, app_id, event_id)
where place_of(lake.stream_seq, lake.row_no) <> copies.first_place
group by all

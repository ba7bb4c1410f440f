-- Events without their copies, from all files in `lake`.
--
-- All copies of an event share their home hour (event_date, event_hour), so de-duplication needs no other hour, but
-- it needs every file of that hour. The copy that the stream stored first counts.
create or replace temp view unique_events as
select lake.*
from lake
left join copies using (event_date, event_hour, app_id, event_id)
where copies.first_place is null or place_of(lake.stream_seq, lake.row_no) = copies.first_place

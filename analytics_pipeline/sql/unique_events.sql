-- Events without their copies, from all files in `lake`.
--
-- All copies of an event share their home hour (event_date, event_hour), so de-duplication needs no other hour, but
-- it needs every file of that hour. The copy that the stream stored first counts. An envelope has at most 2,500 rows.
create or replace temp view unique_events as
with
copies as (
    select
        event_date,
        event_hour,
        app_id,
        event_id,
        min(stream_seq * 4096 + row_no) as first_place
    from lake
    group by all
    having count(*) > 1
)

select lake.*
from lake
left join copies using (event_date, event_hour, app_id, event_id)
where copies.first_place is null or lake.stream_seq * 4096 + lake.row_no = copies.first_place

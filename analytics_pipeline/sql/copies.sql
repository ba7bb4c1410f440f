-- Ids that `lake` holds more than once within their home hour, each with the place of the copy that counts.
create or replace temp table copies as
select
    event_date,
    event_hour,
    app_id,
    event_id,
    min(place_of(stream_seq, row_no)) as first_place
from lake
group by all
having count(*) > 1

-- Ids that `lake` holds more than once within their home hour, each with the place of the copy that counts.
--
-- Numbers are quicker to group by than ids: ids that share a hash are candidates, which are then compared as they are.
create or replace temp table copies as
with
candidates as (
    select
        event_date,
        event_hour,
        hash(app_id, event_id) as event_hash
    from lake
    group by all
    having count(*) > 1
)

select
    lake.event_date,
    lake.event_hour,
    lake.app_id,
    lake.event_id,
    min(place_of(lake.stream_seq, lake.row_no)) as first_place
from lake
inner join candidates
    on
        lake.event_date = candidates.event_date
        and lake.event_hour = candidates.event_hour
        and hash(lake.app_id, lake.event_id) = candidates.event_hash
group by all
having count(*) > 1

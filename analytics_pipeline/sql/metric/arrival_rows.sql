-- The rows of rollups.counted_arrival: `arrived` with the hours' apps and starts.
select
    wanted.app_id,
    wanted.period_start,
    instant_of(arrived.received_hour) as received_hour,
    arrived.events
from arrived
inner join wanted using (period_id)

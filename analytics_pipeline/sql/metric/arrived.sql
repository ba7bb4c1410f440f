-- Counted events of every wanted hour by the hour in which they arrived: (period_id, received_hour) → events.
create or replace temp table arrived as
select
    counted.period_id,
    counted.received_hour,
    count(*) as events
from counted
inner join wanted using (period_id)
where wanted.grain = 'hour'
group by all

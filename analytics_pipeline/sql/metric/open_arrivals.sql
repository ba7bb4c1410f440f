-- Add what `arrived`.
insert into open_arrival
from arrived
on conflict (period_id, received_hour) do update set events = events + excluded.events;

insert into changed_arrival
select distinct period_id from arrived;

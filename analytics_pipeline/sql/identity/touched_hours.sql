-- UTC hours in which the ids of `changed_id` have events without a user of their own.
select distinct
    lake.app_id,
    date_trunc('hour', lake.event_time) as hour
from lake
semi join changed_id using (app_id, anonymous_id)
where lake.user_id is null

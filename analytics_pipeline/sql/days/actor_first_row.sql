-- The rows of the lake table actor_first: each actor's first event of a type on the day, of humans and of bots apart.
create or replace temp table actor_first_row as
select
    period_id,
    actor,
    event_type,
    is_human,
    min(event_time) as first_at
from source_event
where period_id is not null
group by all

-- Events that can belong to a session, by the key of their run: the client's session_id, else the actor.
--
-- Bots are left out of human traffic as if they were absent, so a key with both is looked at twice: as `all`, and
-- without its bots as `human`. What only humans do is `both`.
create or replace temp table run_event as
with
keyed as (
    select
        period_id,
        day_start,
        app_id,
        place,
        event_time,
        is_human,
        is_client,
        case when session_id is not null then 'c' || session_id else 'd' || actor end as run_key
    from source_event
    where session_id is not null or is_client
),

mixed as (
    select
        app_id,
        run_key
    from keyed
    group by all
    having bool_or(is_human) and not bool_and(is_human)
)

select
    keyed.*,
    case when keyed.is_human and mixed.run_key is null then 'both' else 'all' end as traffic
from keyed
left join mixed using (app_id, run_key)
union all
select
    keyed.*,
    'human' as traffic
from keyed
semi join mixed using (app_id, run_key)
where keyed.is_human

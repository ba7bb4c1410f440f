-- Add new events (`fresh_key`, `fresh_loose`) and changes of who is who (`changed_mapping`) to the kept numbers.
--
-- A person's part in the uniques depends on that person's keys alone. So the persons touched are counted twice, as it
-- was before and as it is now, and the numbers change by the difference. A session of the client's likewise.
create or replace temp table touched_actor as
with
seeds as (
    select distinct actor from fresh_key
    union
    select actor from changed_mapping
),

persons as (
    select coalesce(mapping.user_actor, seeds.actor) as person
    from seeds
    left join mapping using (actor)
    union
    select coalesce(user_after, actor) as person from changed_mapping
),

actors as (
    from seeds
    union
    select person as actor from persons
    union
    select mapping.actor
    from mapping
    semi join persons on mapping.user_actor = persons.person
    union
    select changed_mapping.actor
    from changed_mapping
    semi join persons on changed_mapping.user_after = persons.person
)

select
    actors.actor,
    mapping.user_actor as user_before,
    case when changed_mapping.actor is null then mapping.user_actor else changed_mapping.user_after end as user_after
from actors
left join mapping using (actor)
left join changed_mapping using (actor);

create or replace temp table touched_key as
select kept_key.*
from kept_key
semi join touched_actor using (actor);

create or replace temp table new_key as
select
    period_id,
    combo,
    actor,
    is_user,
    session,
    is_human
from fresh_key
anti join touched_key using (period_id, combo, actor, session, is_human);

create or replace temp view key_before as
select
    touched_key.* replace (
        coalesce(touched_actor.user_before, touched_key.actor) as actor,
        touched_key.is_user or touched_actor.user_before is not null as is_user
    )
from touched_key
inner join touched_actor using (actor);

create or replace temp view key_after as
select
    keys.* replace (
        coalesce(touched_actor.user_after, keys.actor) as actor,
        keys.is_user or touched_actor.user_after is not null as is_user
    )
from (
    from touched_key
    union all
    from new_key
) as keys
inner join touched_actor using (actor);

create or replace temp table session_before as
with sessions as (
    select distinct session from new_key
    where session <> 0
)

select kept_key.*
from kept_key
semi join sessions using (session);

create or replace temp view session_after as
from session_before
union all
from new_key;

create or replace temp table touched_loose as
select kept_loose.*
from kept_loose
semi join touched_actor using (actor);

create or replace temp view loose_before as
select touched_loose.* replace (coalesce(touched_actor.user_before, touched_loose.actor) as actor)
from touched_loose
inner join touched_actor using (actor);

create or replace temp view loose_after as
select events.* replace (coalesce(touched_actor.user_after, events.actor) as actor)
from (
    from touched_loose
    union all
    from fresh_loose
) as events
inner join touched_actor using (actor);

create or replace temp table run_before as from runs_of('loose_before');

create or replace temp table run_after as from runs_of('loose_after');

create or replace temp view key_moves as
select
    touched_key.* replace (
        coalesce(touched_actor.user_after, touched_key.actor) as actor,
        touched_key.is_user or touched_actor.user_after is not null as is_user
    ),
    (touched_actor.user_before is not distinct from touched_actor.user_after) as in_before,
    true as in_after
from touched_key
inner join touched_actor using (actor)
union all by name
select
    touched_key.* replace (
        coalesce(touched_actor.user_before, touched_key.actor) as actor,
        touched_key.is_user or touched_actor.user_before is not null as is_user
    ),
    true as in_before,
    false as in_after
from touched_key
inner join touched_actor using (actor)
where touched_actor.user_before is distinct from touched_actor.user_after
union all by name
select
    new_key.* replace (
        coalesce(touched_actor.user_after, new_key.actor) as actor,
        new_key.is_user or touched_actor.user_after is not null as is_user
    ),
    false as in_before,
    true as in_after
from new_key
inner join touched_actor using (actor);

create or replace temp view session_moves as
select
    *,
    true as in_before
from session_before
union all
select
    *,
    false as in_before
from new_key;

create or replace temp table change as
with
parts as (
    from cut_counts
    union all by name
    from visitor_changes_in('key_moves', 'combo')
    union all by name
    from session_changes_in('session_moves', 'combo')
    union all by name
    from runs_in('run_after', 'combo')
    union all by name
    select
        period_id,
        cut_id,
        -columns(* exclude (period_id, cut_id))
    from runs_in('run_before', 'combo')
),

summed as (
    select
        period_id,
        cut_id,
        coalesce(sum(columns(* exclude (period_id, cut_id)))::bigint, 0)
    from parts
    group by period_id, cut_id
)

from summed
where greatest(
    events,
    abs(users),
    abs(human_users),
    abs(visitors),
    abs(human_visitors),
    abs(sessions),
    abs(human_sessions)
) > 0;

insert into cut by name
from change
on conflict (period_id, cut_id) do update set
    events = events + excluded.events,
    human_events = human_events + excluded.human_events,
    page_views = page_views + excluded.page_views,
    human_page_views = human_page_views + excluded.human_page_views,
    users = users + excluded.users,
    human_users = human_users + excluded.human_users,
    visitors = visitors + excluded.visitors,
    human_visitors = human_visitors + excluded.human_visitors,
    sessions = sessions + excluded.sessions,
    human_sessions = human_sessions + excluded.human_sessions;

insert into kept_key
from new_key;

insert into kept_loose
from fresh_loose;

delete from mapping
where actor in (select actor from changed_mapping);

insert into mapping
select
    actor,
    user_after
from changed_mapping
where user_after is not null;

insert into changed
select
    period_id,
    cut_id
from change;

-- Where persons only change places, no cut may change, and yet the rest of a dimension may.
insert into changed
select distinct
    touched_key.period_id,
    null::ubigint as cut_id
from touched_key
semi join changed_mapping using (actor);

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
    union
    select actor from moved_key
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
    is_human,
    opens
from (
    select
        *,
        human_session <> 0 as opens
    from fresh_key
) as fresh
anti join touched_key using (period_id, combo, actor, session, is_human, opens);

create or replace temp table touched_session as
with sessions as (
    select distinct session from (
        select session from new_key
        union all
        select session from moved_key
    ) as touched
    where session <> 0
)

select
    kept_key.*,
    true as in_before
from kept_key
semi join sessions using (session)
union all
select
    new_key.*,
    false as in_before
from new_key
where session <> 0;

-- Of sessions that servers send events of: whether a client has sent them too, of whatever kind or a human's. It may
-- have done so in another open period, the hour before; once it has, it has, also where that period is forgotten.
create or replace temp table opening as
with
of_servers as (
    from touched_session select distinct
        period_id,
        session
    where not opens
),

in_period as (
    select
        period_id,
        session,
        bool_or(opens and in_before) as before,
        bool_or(opens and is_human and in_before) as human_before
    from touched_session
    group by all
),

anywhere as (
    select
        session,
        bool_or(opens) as after,
        bool_or(opens and is_human) as human_after
    from touched_session
    group by all
)

select
    of_servers.period_id,
    of_servers.session,
    coalesce(kept_opening.is_opened, in_period.before) as before,
    anywhere.after or coalesce(kept_opening.is_opened, false) as after,
    coalesce(kept_opening.is_opened_by_human, in_period.human_before) as human_before,
    anywhere.human_after or coalesce(kept_opening.is_opened_by_human, false) as human_after
from of_servers
inner join in_period using (period_id, session)
inner join anywhere using (session)
left join kept_opening using (period_id, session);

delete from kept_opening
where (period_id, session) in (select (period_id, session) from opening);

insert into kept_opening
select
    period_id,
    session,
    after,
    human_after
from opening;

create or replace temp table session_moves as
select
    touched_session.period_id,
    touched_session.combo,
    touched_session.session as id,
    false as is_user,
    touched_session.in_before and coalesce(opening.before, true) as before,
    coalesce(opening.after, true) as after,
    touched_session.in_before and touched_session.is_human and coalesce(opening.human_before, true) as human_before,
    touched_session.is_human and coalesce(opening.human_after, true) as human_after
from touched_session
left join opening using (period_id, session);

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

create or replace temp view other_combo_before as
select
    period_id,
    combo,
    other_id,
    before as is_other,
    human_before as is_other_of_humans
from other_combo
where before or human_before;

create or replace temp view other_combo_after as
select
    period_id,
    combo,
    other_id,
    after as is_other,
    human_after as is_other_of_humans
from other_combo
where after or human_after;

create or replace temp table other_run_before as from other_runs('run_before', 'other_combo_before');

create or replace temp table other_run_after as from other_runs('run_after', 'other_combo_after');

create or replace temp table key_moves as
with
moves as (
    select
        touched_key.period_id,
        touched_key.combo,
        coalesce(touched_actor.user_after, touched_key.actor) as id,
        touched_key.is_user or touched_actor.user_after is not null as is_user,
        touched_key.is_human,
        (touched_actor.user_before is not distinct from touched_actor.user_after) as before,
        true as after
    from touched_key
    inner join touched_actor using (actor)
    union all
    select
        touched_key.period_id,
        touched_key.combo,
        coalesce(touched_actor.user_before, touched_key.actor) as id,
        touched_key.is_user or touched_actor.user_before is not null as is_user,
        touched_key.is_human,
        true as before,
        false as after
    from touched_key
    inner join touched_actor using (actor)
    where touched_actor.user_before is distinct from touched_actor.user_after
    union all
    select
        new_key.period_id,
        new_key.combo,
        coalesce(touched_actor.user_after, new_key.actor) as id,
        new_key.is_user or touched_actor.user_after is not null as is_user,
        new_key.is_human,
        false as before,
        true as after
    from new_key
    inner join touched_actor using (actor)
)

select
    *,
    before and is_human as human_before,
    after and is_human as human_after
from moves;

create or replace temp table visitor_change as from changes_in('key_moves', 'combo', 'other_combo');

create or replace temp table session_change as from changes_in('session_moves', 'combo', 'other_combo');

create or replace temp table change as
with
parts as (
    from cut_counts
    union all by name
    select
        period_id,
        cut_id,
        user_change as users,
        human_user_change as human_users,
        change as visitors,
        human_change as human_visitors
    from visitor_change
    union all by name
    select
        period_id,
        cut_id,
        change as sessions,
        human_change as human_sessions
    from session_change
    union all by name
    from runs_in('run_after', 'combo')
    union all by name
    select
        period_id,
        cut_id,
        -columns(* exclude (period_id, cut_id))
    from runs_in('run_before', 'combo')
    union all by name
    select
        other_id as cut_id,
        * exclude (other_id)
    from other_runs_in('other_run_after')
    union all by name
    select
        period_id,
        other_id as cut_id,
        -columns(* exclude (period_id, other_id))
    from other_runs_in('other_run_before')
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

create or replace temp table other_sum as
with
others as (
    select distinct
        period_id,
        other_id
    from other_cut
),

parts as (
    from kept_other_unique
    semi join wanted using (period_id)
    union all by name
    select
        change.cut_id as other_id,
        change.* exclude (cut_id, events, human_events, page_views, human_page_views)
    from change
    inner join others on change.period_id = others.period_id and change.cut_id = others.other_id
    union all by name
    from others
)

select
    period_id,
    other_id,
    coalesce(sum(columns(* exclude (period_id, other_id)))::bigint, 0)
from parts
group by period_id, other_id;

delete from kept_other_unique
where period_id in (select period_id from wanted);

insert into kept_other_unique by name
from other_sum;

insert into cut by name
select
    change.*,
    cut_name.dimension,
    cut_name.value_kind = 'value' as is_value
from change
inner join cut_name using (cut_id)
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

insert into changed
select
    period_id,
    cut_id
from entering;

-- Where persons only change places, no cut may change, and yet the rest of a dimension may.
insert into changed
select distinct
    touched_key.period_id,
    null::ubigint as cut_id
from touched_key
semi join changed_mapping using (actor)

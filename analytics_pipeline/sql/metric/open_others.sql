-- Bring the uniques of the rows `other` up to date: persons and sessions with new keys, or with keys of values that
-- begin or cease to be told apart, are counted twice, as it was and as it is, like in open_merge.sql.
create or replace temp table other_combo_before as
select
    kept_other.*,
    combo.combo
from kept_other
inner join combo using (cut_id)
semi join ranked using (period_id);

create or replace temp table moved_combo as
select
    period_id,
    combo
from (
    (
        from other_combo
        except
        from other_combo_before
    )
    union
    (
        from other_combo_before
        except
        from other_combo
    )
) as differing;

create or replace temp table moved_key as
select
    kept_key.actor,
    kept_key.session
from kept_key
semi join moved_combo using (period_id, combo);

create or replace temp table extra_actor as
with
persons as (
    select distinct coalesce(mapping.user_actor, moved_key.actor) as person
    from moved_key
    left join mapping using (actor)
),

actors as (
    select person as actor from persons
    union
    select mapping.actor
    from mapping
    semi join persons on mapping.user_actor = persons.person
    union
    select distinct actor from moved_key
)

select
    actors.actor,
    mapping.user_actor
from actors
left join mapping using (actor);

-- `added_period` was counted whole: all of its keys are new to the rows `other`, those of touched persons too.
create or replace temp table extra_key as
with combos as (
    from other_combo_before select combo
    union
    from other_combo select combo
),

touched as (
    from touched_actor, open_period select
        actor,
        period_id
    where period_id not in (from added_period)
)

select
    kept_key.* replace (
        coalesce(extra_actor.user_actor, kept_key.actor) as actor,
        kept_key.is_user or extra_actor.user_actor is not null as is_user
    )
from kept_key
inner join extra_actor using (actor)
semi join combos using (combo)
anti join touched using (actor, period_id);

create or replace temp table other_key_before as
from other_keys('key_before', 'other_combo_before')
union all
from other_keys('extra_key', 'other_combo_before');

create or replace temp table other_key_after as
from other_keys('key_after', 'other_combo')
union all
from other_keys('extra_key', 'other_combo');

create or replace temp table extra_session as
with moved as (
    select distinct session from moved_key
    where session <> 0
),

touched as (
    from new_key, open_period select
        session,
        open_period.period_id
    where open_period.period_id not in (from added_period)
)

select kept_key.*
from kept_key
semi join moved using (session)
anti join touched using (session, period_id);

create or replace temp table other_session_before as
from other_keys('session_before', 'other_combo_before')
union all
from other_keys('extra_session', 'other_combo_before');

create or replace temp table other_session_after as
from other_keys('session_after', 'other_combo')
union all
from other_keys('extra_session', 'other_combo');

create or replace temp view extra_loose as
with touched as (
    from touched_actor, open_period select
        actor,
        period_id
    where period_id not in (from added_period)
)

select kept_loose.* replace (coalesce(extra_actor.user_actor, kept_loose.actor) as actor)
from kept_loose
inner join extra_actor using (actor)
anti join touched using (actor, period_id);

create or replace temp table extra_run as from runs_of('extra_loose');

create or replace temp table other_run_before as
from other_runs('run_before', 'other_combo_before')
union all
from other_runs('extra_run', 'other_combo_before');

create or replace temp table other_run_after as
from other_runs('run_after', 'other_combo')
union all
from other_runs('extra_run', 'other_combo');

create or replace temp table other_sum as
with
parts as (
    from kept_other_unique
    semi join ranked using (period_id)
    union all by name
    from other_visitors_in('other_key_after')
    union all by name
    from other_sessions_in('other_session_after')
    union all by name
    from other_runs_in('other_run_after')
    union all by name
    select
        period_id,
        other_id,
        -columns(* exclude (period_id, other_id))
    from other_visitors_in('other_key_before')
    union all by name
    select
        period_id,
        other_id,
        -columns(* exclude (period_id, other_id))
    from other_sessions_in('other_session_before')
    union all by name
    select
        period_id,
        other_id,
        -columns(* exclude (period_id, other_id))
    from other_runs_in('other_run_before')
)

select
    period_id,
    other_id,
    coalesce(sum(columns(* exclude (period_id, other_id)))::bigint, 0)
from parts
group by period_id, other_id;

delete from kept_other_unique
where period_id in (select period_id from ranked);

insert into kept_other_unique by name
from other_sum;

delete from kept_other
where period_id in (select period_id from ranked);

insert into kept_other by name
from other_cut;

create or replace temp view other_unique as from kept_other_unique;

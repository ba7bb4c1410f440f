-- The rows `other` of both traffics, where a dimension has more values than are kept: (period_id, dimension, traffic) →
-- numbers. Its uniques are counted from `cut_key` and `cut_run`.
create or replace temp table other_combo as
select
    other_cut.*,
    combo.combo
from other_cut
inner join combo using (cut_id);

create or replace temp view other_key as
select
    cut_key.period_id,
    other_combo.other_id as combo,
    cut_key.actor,
    cut_key.is_user,
    cut_key.session,
    cut_key.is_human
from cut_key
inner join other_combo using (period_id, combo)
where other_combo.is_other;

create or replace temp view other_key_of_humans as
select
    cut_key.period_id,
    other_combo.other_id as combo,
    cut_key.actor,
    cut_key.is_user,
    cut_key.session,
    cut_key.is_human
from cut_key
inner join other_combo using (period_id, combo)
where other_combo.is_other_of_humans and cut_key.is_human;

create or replace temp view other_run as
select
    cut_run.* exclude (combo),
    other_combo.other_id as combo
from cut_run
inner join other_combo using (period_id, combo)
where other_combo.is_other;

create or replace temp view other_run_of_humans as
select
    cut_run.* exclude (combo),
    other_combo.other_id as combo
from cut_run
inner join other_combo using (period_id, combo)
where other_combo.is_other_of_humans and cut_run.is_human;

create or replace temp table other_total as
with
sums as (
    select
        other_cut.period_id,
        other_cut.dimension,
        other_cut.other_id as cut_id,
        sum(ranked.events) filter (where other_cut.is_other) as events,
        sum(ranked.page_views) filter (where other_cut.is_other) as page_views,
        sum(ranked.human_events) filter (where other_cut.is_other_of_humans) as human_events,
        sum(ranked.human_page_views) filter (where other_cut.is_other_of_humans) as human_page_views
    from other_cut
    inner join ranked using (period_id, cut_id)
    group by all
),

visitors as (from visitors_in('other_key', 'other_cut_id')),

human_visitors as (from visitors_in('other_key_of_humans', 'other_cut_id')),

sessions as (from sessions_in('other_key', 'other_cut_id')),

human_sessions as (from sessions_in('other_key_of_humans', 'other_cut_id')),

runs as (from runs_in('other_run', 'other_cut_id')),

human_runs as (from runs_in('other_run_of_humans', 'other_cut_id'))

select
    sums.period_id,
    sums.cut_id,
    coalesce(sums.events, 0)::bigint as events,
    coalesce(sums.human_events, 0)::bigint as human_events,
    coalesce(sums.page_views, 0)::bigint as page_views,
    coalesce(sums.human_page_views, 0)::bigint as human_page_views,
    coalesce(visitors.users, 0) as users,
    coalesce(human_visitors.human_users, 0) as human_users,
    coalesce(visitors.visitors, 0) as visitors,
    coalesce(human_visitors.human_visitors, 0) as human_visitors,
    coalesce(sessions.sessions, 0) + coalesce(runs.sessions, 0) as sessions,
    coalesce(human_sessions.human_sessions, 0) + coalesce(human_runs.human_sessions, 0) as human_sessions,
    sums.dimension
from sums
left join visitors using (period_id, cut_id)
left join human_visitors using (period_id, cut_id)
left join sessions using (period_id, cut_id)
left join human_sessions using (period_id, cut_id)
left join runs using (period_id, cut_id)
left join human_runs using (period_id, cut_id)

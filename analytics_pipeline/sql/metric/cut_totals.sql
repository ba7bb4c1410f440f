-- All numbers of every cut of periods that are counted whole: `cut_counts` and the uniques of `cut_key`, `cut_run`.
create or replace temp table cut_total as
with
visitors as (from visitors_in('cut_key', 'combo')),

sessions as (from sessions_in('cut_key', 'combo')),

runs as (from runs_in('cut_run', 'combo'))

select
    cut_counts.*,
    visitors.users,
    visitors.human_users,
    visitors.visitors,
    visitors.human_visitors,
    coalesce(sessions.sessions, 0) + coalesce(runs.sessions, 0) as sessions,
    coalesce(sessions.human_sessions, 0) + coalesce(runs.human_sessions, 0) as human_sessions
from cut_counts
inner join visitors using (period_id, cut_id)
left join sessions using (period_id, cut_id)
left join runs using (period_id, cut_id)

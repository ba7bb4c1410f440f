-- Sessions of `cut_key` that servers sent events of and no human's client did: no sessions, or only where bots count.
create or replace temp table unopened as
with of_servers as (
    from cut_key select distinct
        period_id,
        session
    where not opens
)

select
    cut_key.period_id,
    cut_key.session,
    bool_or(cut_key.opens) as is_opened_by_bots
from cut_key
semi join of_servers using (period_id, session)
group by cut_key.period_id, cut_key.session
having not bool_or(cut_key.opens and cut_key.is_human)

-- Of sessions that servers send events of, in open periods that are counted whole: whether a client has sent them too,
-- in any open period, of whatever kind or a human's.
create or replace temp table whole_opening as
with
of_servers as (
    from fresh_key select distinct
        period_id,
        session
    where session <> 0 and human_session = 0
),

clients as (
    select
        session,
        bool_or(is_human) as is_human
    from (
        select
            session,
            is_human
        from fresh_key
        where human_session <> 0
        union all
        select
            session,
            is_human
        from kept_key
        where opens
    ) as sent
    semi join of_servers using (session)
    group by session
)

select
    of_servers.period_id,
    of_servers.session,
    clients.session is not null as is_opened,
    coalesce(clients.is_human, false) as is_opened_by_human
from of_servers
left join clients using (session);

insert into kept_opening
from whole_opening

-- Numbers of the sessions that servers' events join, where bots count and where they do not; 0 for none.
create or replace temp table server_session as
with numbered as (
    select
        period_id,
        place,
        traffic,
        case
            when is_own then key_of(app_id, session_id)
            when started_us is not null then other_session_of(app_id, session_id, started_us)
        end as session
    from server_join
)

select
    period_id,
    place,
    coalesce(max(session) filter (where traffic = 'all'), 0) as session,
    coalesce(max(session) filter (where traffic = 'human'), 0) as human_session
from numbered
group by period_id, place

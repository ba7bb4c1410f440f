-- One number for each hour and day that servers' events with a session's id lie in: (wanted_id, number). It tells which
-- sessions they join, of those that begin and end beside the period; 0 where there are none such. It is compared with
-- the number that the period was counted by (sql/metric/join_numbers.sql).
with joins as (
    select
        wanted_period.wanted_id,
        source_event.place,
        unnest(
            case when event_session.traffic = 'both' then ['all', 'human'] else [event_session.traffic] end
        ) as traffic,
        epoch_us(session_row.started_at) as started_us,
        session_row.started_at < wanted_period.period_end
        and session_row.ended_at >= wanted_period.period_start as is_own
    from source_event
    inner join event_session using (app_id, place)
    inner join wanted_period
        on
            source_event.period_id = wanted_period.day_id
            and source_event.event_time >= wanted_period.period_start
            and source_event.event_time < wanted_period.period_end
    left join session_row
        on
            event_session.app_id = session_row.app_id
            and event_session.session_key = session_row.session_key
            and session_row.traffic in ('both', event_session.traffic)
    where not source_event.is_client and source_event.session_id is not null
)

select
    wanted_id,
    coalesce(
        bit_xor(join_number(place, traffic, started_us)) filter (where not coalesce(is_own, false)), 0
    ) as number
from joins
group by wanted_id

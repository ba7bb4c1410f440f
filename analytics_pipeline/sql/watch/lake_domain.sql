-- Rows in `lake` that the contract does not allow, by app and rule.
with broken as (
    select
        app_id,
        unnest([
            case when app_id is null or app_id = '' then 'app_id is missing' end,
            case when coalesce(event_id, '') = '' or length(event_id) > 100 then 'event_id is missing or too long' end,
            case
                when coalesce(event_type, '') = '' or length(event_type) > 100 then 'event_type is missing or too long'
            end,
            case
                when coalesce(source, '') not in ('web', 'mobile', 'server', 'import') then 'source is not one of ours'
            end,
            case
                when user_id is null and anonymous_id is null and session_id is null then 'no id of any kind'
            end,
            case when event_time is null or received_at is null then 'event_time or received_at is missing' end,
            case when event_time > received_at + interval '1 hour' then 'event_time is ahead of received_at' end,
            case when duration_ms < 0 then 'duration_ms is negative' end,
            case when is_bot is null then 'is_bot is missing' end,
            case when stream_seq is null or row_no is null or stream_seq < 1 then 'no place in the stream' end
        ]) as rule
    from lake
)

select
    coalesce(app_id, '') as app_id,
    rule,
    count(*)::bigint as events
from broken
where rule is not null
group by all
order by all

with

ingest_accounting as (select * from {{ source('rollups', 'ingest_accounting') }}),

ingest_gap as (select * from {{ source('rollups', 'ingest_gap') }}),

hours as (
    select
        app_id,
        hour,
        received,
        stored,
        window_duplicate,
        quarantined,
        filtered,
        flagged,
        last_received_at,
        told_until,
        exists(
            select 1 from ingest_gap
            where
                ingest_gap.starts_at < ingest_accounting.hour + interval '1 hour'
                and ingest_gap.ends_at > ingest_accounting.hour
        ) as has_gap
    from ingest_accounting
)

select * from hours

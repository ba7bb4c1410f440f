with

ingest_reason as (select * from {{ source('rollups', 'ingest_reason') }}),

reasons as (
    select
        app_id,
        hour,
        outcome,
        reason,
        events
    from ingest_reason
)

select * from reasons

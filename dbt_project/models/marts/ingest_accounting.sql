with

received as (select * from {{ ref('stg_ingest_received') }}),

counted as (select * from {{ ref('stg_ingest_counted') }}),

lagging as (select * from {{ ref('stg_ingest_lag') }}),

-- Nothing is complete while a comparison with the lake is wanted.
progress as (
    select complete_through
    from {{ source('rollups', 'lake_progress') }}
    where lake_version = accounted_version and not exists (select 1 from {{ source('rollups', 'reconcile_request') }})
),

final as (
    select
        coalesce(received.app_id, counted.app_id) as app_id,
        coalesce(received.hour, counted.hour) as hour,
        received.received,
        received.stored,
        received.window_duplicate,
        received.quarantined,
        received.filtered,
        received.flagged,
        coalesce(counted.counted, 0) as counted,
        coalesce(counted.later_duplicate, 0) as later_duplicate,
        received.quarantined::double precision / nullif(received.received, 0) as quarantined_fraction,
        coalesce(
            received.received
            = received.stored + received.window_duplicate + received.quarantined + received.filtered
            and received.stored = coalesce(counted.counted, 0) + coalesce(counted.later_duplicate, 0),
            false
        ) as is_balanced,
        -- A gateway's clock may be behind the broker's by minutes; what is replayed arrives again at its old instant.
        coalesce(
            not received.has_gap
            and progress.complete_through >= received.hour + interval '65 minutes'
            and coalesce(lagging.lags_since >= received.told_until, true),
            false
        ) as is_complete,
        received.last_received_at
    from received
    full join counted on received.app_id = counted.app_id and received.hour = counted.hour
    left join progress on true
    left join lagging on received.app_id = lagging.app_id
)

select * from final

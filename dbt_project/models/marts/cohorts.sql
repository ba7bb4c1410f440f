with

cohort as (select * from {{ ref('stg_cohort') }}),

result as (select * from {{ ref('stg_cohort_result') }}),

final as (
    select
        cohort.cohort_id::text as id,
        cohort.app_id,
        cohort.identifier,
        cohort.name,
        cohort.definition as filter,
        result.user_count,
        result.retention_rate,
        result.daily_visitors,
        result.is_exact,
        cohort.created_at,
        result.complete_through,
        result.computed_at
    from cohort
    left join result on cohort.cohort_id = result.cohort_id
)

select * from final

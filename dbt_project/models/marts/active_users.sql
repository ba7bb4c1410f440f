with

daily as (select * from {{ ref('stg_daily_metric') }}),

weekly as (select * from {{ ref('stg_weekly_metric') }}),

monthly as (select * from {{ ref('stg_monthly_metric') }}),

app as (select * from {{ ref('stg_app') }}),

days as (
    select
        daily.app_id,
        daily.local_date,
        daily.local_date - (extract(isodow from daily.local_date)::integer - app.week_start + 7) % 7 as week_start_date,
        date_trunc('month', daily.local_date::timestamp)::date as month_start_date,
        daily.visitors,
        daily.users,
        daily.computed_at
    from daily
    inner join app on daily.app_id = app.app_id
    where daily.dimension = 'total'
),

final as (
    select
        days.app_id,
        days.local_date as date,
        days.week_start_date,
        days.month_start_date,
        days.visitors as dau,
        weekly.visitors as wau,
        monthly.visitors as mau,
        -- Months are computed some minutes after their days: one with fewer visitors than this day has not caught up.
        case
            when monthly.visitors >= days.visitors
                then round(100.0 * days.visitors / nullif(monthly.visitors, 0), 2)::numeric(5, 2)
        end as stickiness,
        days.users as signed_in_dau,
        weekly.users as signed_in_wau,
        monthly.users as signed_in_mau,
        greatest(days.computed_at, weekly.computed_at, monthly.computed_at) as computed_at
    from days
    left join weekly
        on days.app_id = weekly.app_id and days.week_start_date = weekly.local_date and weekly.dimension = 'total'
    left join monthly
        on days.app_id = monthly.app_id and days.month_start_date = monthly.local_date and monthly.dimension = 'total'
)

select * from final

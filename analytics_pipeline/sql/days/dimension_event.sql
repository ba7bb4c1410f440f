-- Every event of the computed days once for each dimension, with its value there. A page has the numbers of its
-- views.
create or replace temp view dimension_event as
with
cuts as (
    select
        period_id,
        app_id,
        place,
        actor,
        is_user,
        is_human,
        is_view,
        '' as total,
        event_type,
        event_name,
        source,
        country,
        device_type,
        os,
        page_url,
        to_json([source, event_name])::varchar as source_event_name,
        to_json([event_type, os])::varchar as event_type_os,
        browser,
        referrer_host,
        channel,
        utm_source,
        utm_medium,
        utm_campaign,
        app_version
    from source_event
    where period_id is not null
),

long as (
    select *
    from cuts
    unpivot include nulls (
        value for dimension in (
            total,
            event_type,
            event_name,
            source,
            country,
            device_type,
            os,
            page_url,
            source_event_name,
            event_type_os,
            browser,
            referrer_host,
            channel,
            utm_source,
            utm_medium,
            utm_campaign,
            app_version
        )
    )
)

select
    period_id,
    app_id,
    place,
    actor,
    is_user,
    is_human,
    is_view,
    dimension,
    kind_of(dimension, value) as value_kind,
    coalesce(value, '') as value
from long
where dimension <> 'page_url' or is_view

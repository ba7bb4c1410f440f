-- The cuts that a combination of values belongs to, and what they are called, of all rows in `lake`: `fresh_combo`
-- (combo, cut_id) and `fresh_cut` (cut_id, dimension, value_kind, value).
create or replace temp table combo_value as
with
profiles as (
    select distinct
        source,
        country,
        device_type,
        os,
        browser,
        app_version
    from lake
),

hours as (
    select
        hour_profile(source, country, device_type, os) as combo,
        unnest([
            { 'dimension': 'total', 'value': null },
            { 'dimension': 'source', 'value': source },
            { 'dimension': 'country', 'value': country },
            { 'dimension': 'device_type', 'value': device_type },
            { 'dimension': 'os', 'value': os }
        ]) as cut
    from profiles
),

days as (
    select
        day_profile(source, country, device_type, os, browser, app_version) as combo,
        unnest([
            { 'dimension': 'total', 'value': null },
            { 'dimension': 'source', 'value': source },
            { 'dimension': 'country', 'value': country },
            { 'dimension': 'device_type', 'value': device_type },
            { 'dimension': 'os', 'value': os },
            { 'dimension': 'browser', 'value': browser },
            { 'dimension': 'app_version', 'value': app_version }
        ]) as cut
    from profiles
),

event_values as (
    select distinct
        source,
        event_type,
        event_name,
        os,
        to_json([source, replace(event_name, chr(0), '�')])::varchar as source_event_name,
        to_json([replace(event_type, chr(0), '�'), replace(os, chr(0), '�')])::varchar as event_type_os
    from lake
),

hour_events as (
    select
        hour_event(source, event_type, event_name) as combo,
        unnest([
            { 'dimension': 'event_type', 'value': event_type },
            { 'dimension': 'event_name', 'value': event_name },
            { 'dimension': 'source_event_name', 'value': source_event_name }
        ]) as cut
    from event_values
),

day_events as (
    select
        day_event(source, event_type, event_name, os) as combo,
        unnest([
            { 'dimension': 'event_type', 'value': event_type },
            { 'dimension': 'event_name', 'value': event_name },
            { 'dimension': 'source_event_name', 'value': source_event_name },
            { 'dimension': 'event_type_os', 'value': event_type_os }
        ]) as cut
    from event_values
),

pages as (
    select
        page_combo(page_url) as combo,
        { 'dimension': 'page_url', 'value': page_url } as cut
    from (select distinct page_url from lake) as page_values
),

acquisitions as (
    select
        acquisition_combo(referrer_host, channel, utm_source, utm_medium, utm_campaign) as combo,
        unnest([
            { 'dimension': 'referrer_host', 'value': referrer_host },
            { 'dimension': 'channel', 'value': channel },
            { 'dimension': 'utm_source', 'value': utm_source },
            { 'dimension': 'utm_medium', 'value': utm_medium },
            { 'dimension': 'utm_campaign', 'value': utm_campaign }
        ]) as cut
    from (select distinct
        referrer_host,
        channel,
        utm_source,
        utm_medium,
        utm_campaign
    from lake) as acquisition_values
),

united as (
    from hours
    union
    from days
    union
    from hour_events
    union
    from day_events
    union
    from pages
    union
    from acquisitions
)

select
    united.combo,
    cut.dimension,
    storable(cut.value) as value
from united;

create or replace temp table fresh_combo as
select distinct
    combo,
    cut_of(dimension, value) as cut_id
from combo_value;

create or replace temp table fresh_cut as
select distinct
    cut_of(dimension, value) as cut_id,
    dimension,
    case when dimension = 'total' then 'total' when value is null then 'not_set' else 'value' end as value_kind,
    coalesce(value, '') as value
from combo_value;

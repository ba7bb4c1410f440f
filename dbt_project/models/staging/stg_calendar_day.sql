-- dbt's semantic models need one table of all days; no mart reads it.
select generate_series('2010-01-01'::timestamp, current_date + interval '1 year', interval '1 day')::date as date_day

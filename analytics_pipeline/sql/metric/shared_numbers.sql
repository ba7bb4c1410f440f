-- How many ids, combinations of values and cuts share their number with another: 0 says that counting numbers is exact.
with
ids as (
    select distinct
        events.app_id,
        events.actor,
        events.session_id
    from actor_events as events
),

actors as (
    select distinct
        app_id,
        actor
    from ids
),

sessions as (
    select distinct
        app_id,
        session_id
    from ids
    where session_id is not null
),

session_numbers as (
    select key_of(app_id, session_id) as number from sessions
    union all
    select other_session_of(app_id, session_id, started_us) as number
    from (
        from server_join select distinct
            app_id,
            session_id,
            started_us
        where not is_own and started_us is not null
    ) as others
),

shared as (
    select count(*) - count(distinct key_of(app_id, actor)) as numbers from actors
    union all
    select count(*) - count(distinct number) as numbers from session_numbers
    union all
    -- A combination has one value of each dimension.
    select count(*) - count(distinct row(combo, dimension)) as numbers from combo_value
    union all
    select count(*) - count(distinct cut_id) as numbers from fresh_cut
)

select sum(numbers) as numbers from shared

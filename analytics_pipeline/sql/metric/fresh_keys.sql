-- `fresh_key`: the different (combo, actor, session, human_session, is_human) of every period with their numbers of
-- events and views. Most events repeat one of them: all cuts are counted from this table. A page's numbers are those of
-- its views.
create or replace temp table fresh_key as
select
    period_id,
    profile as combo,
    actor,
    is_user,
    session,
    is_human,
    human_session,
    count(*) as events,
    count(*) filter (where is_view) as views
from counted
group by all
union all
select
    period_id,
    event as combo,
    actor,
    is_user,
    session,
    is_human,
    human_session,
    count(*) as events,
    count(*) filter (where is_view) as views
from counted
group by all
union all
select
    period_id,
    page as combo,
    actor,
    is_user,
    session,
    is_human,
    human_session,
    count(*) as events,
    count(*) as views
from counted
where page is not null
group by all
union all
select
    period_id,
    acquisition as combo,
    actor,
    is_user,
    session,
    is_human,
    human_session,
    count(*) as events,
    count(*) filter (where is_view) as views
from counted
where acquisition is not null
group by all;

-- `fresh_loose`: the events of which runs are made.
create or replace temp table fresh_loose as
select
    period_id,
    actor,
    is_human,
    loose_us as event_us,
    list_filter([profile, event, page, acquisition], lambda combo: combo is not null) as combos
from counted
where loose_us is not null;

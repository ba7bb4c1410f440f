-- Add the counts and keys of new events (`cut_counts`, `cut_keys`) to the kept ones.
create or replace temp table fresh_key as
select
    period_id,
    hash(period_id, dimension, value_kind, value) as cut_id,
    key_kind,
    key,
    is_human
from cut_keys;

create or replace temp table known_key as
select cut_key.*
from cut_key
semi join fresh_key using (cut_id, key_kind, key);

create or replace temp table gain as
with
gained as (
    select
        fresh_key.cut_id,
        fresh_key.key_kind,
        known_key.key is null as is_new,
        fresh_key.is_human and not coalesce(known_key.is_human, false) as is_new_human
    from fresh_key
    left join known_key using (cut_id, key_kind, key)
)

select
    cut_id,
    count(*) filter (where key_kind = 'users' and is_new) as users,
    count(*) filter (where key_kind = 'users' and is_new_human) as human_users,
    count(*) filter (where key_kind = 'visitors' and is_new) as visitors,
    count(*) filter (where key_kind = 'visitors' and is_new_human) as human_visitors,
    count(*) filter (where key_kind = 'sessions' and is_new) as sessions,
    count(*) filter (where key_kind = 'sessions' and is_new_human) as human_sessions
from gained
group by cut_id;

insert into cut
select
    hash(period_id, dimension, value_kind, value) as cut_id,
    period_id,
    dimension,
    value_kind,
    value,
    events,
    human_events,
    page_views,
    human_page_views,
    coalesce(gain.users, 0),
    coalesce(gain.human_users, 0),
    coalesce(gain.visitors, 0),
    coalesce(gain.human_visitors, 0),
    coalesce(gain.sessions, 0),
    coalesce(gain.human_sessions, 0)
from cut_counts
left join gain on gain.cut_id = hash(period_id, dimension, value_kind, value)
on conflict (cut_id) do update set
    events = events + excluded.events,
    human_events = human_events + excluded.human_events,
    page_views = page_views + excluded.page_views,
    human_page_views = human_page_views + excluded.human_page_views,
    users = users + excluded.users,
    human_users = human_users + excluded.human_users,
    visitors = visitors + excluded.visitors,
    human_visitors = human_visitors + excluded.human_visitors,
    sessions = sessions + excluded.sessions,
    human_sessions = human_sessions + excluded.human_sessions;

-- A key that only bots carried so far and a human carries now.
update cut_key
set is_human = true
from fresh_key
where
    cut_key.cut_id = fresh_key.cut_id
    and cut_key.key_kind = fresh_key.key_kind
    and cut_key.key = fresh_key.key
    and fresh_key.is_human
    and not cut_key.is_human;

insert into cut_key
select
    fresh_key.period_id,
    fresh_key.cut_id,
    fresh_key.key_kind,
    fresh_key.key,
    fresh_key.is_human
from fresh_key
anti join known_key using (cut_id, key_kind, key);

insert into changed
select distinct hash(period_id, dimension, value_kind, value) from cut_counts;

insert into open_arrival
from arrived
on conflict (period_id, received_hour) do update set events = events + excluded.events;

insert into changed_arrival
select distinct period_id from arrived;

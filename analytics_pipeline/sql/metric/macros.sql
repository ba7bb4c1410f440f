-- Ids and sets of values as 64-bit numbers, which are quick to group by. `salt` is chosen such that no two of those
-- in question share a number, wherever the result has to be exact.
create or replace temp macro key_of(app_id, id) as hash(app_id, id, getvariable('salt'));
create or replace temp macro other_session_of(app_id, id, started_us)
as hash(app_id, id, started_us, getvariable('salt'));
create or replace temp macro event_number(home, app_id, event_id) as hash(home, app_id, event_id);
create or replace temp macro combo_of(family, a, b, c, d, e, f) as hash(family, a, b, c, d, e, f, getvariable('salt'));
create or replace temp macro cut_of(dimension, value) as hash(dimension, value, getvariable('salt'));
create or replace temp macro other_of(dimension) as hash('other', dimension, 'values', getvariable('salt'));

-- What an event says of its dimensions is kept as one number for each family of them: those of one family mostly
-- change together, so that an actor has few different ones. Hours have fewer dimensions.
create or replace temp macro hour_profile(source, country, device_type, os)
as combo_of('hour', source, country, device_type, os, null, null);
create or replace temp macro day_profile(source, country, device_type, os, browser, app_version)
as combo_of('day', source, country, device_type, os, browser, app_version);
create or replace temp macro hour_event(source, event_type, event_name)
as combo_of('hour event', source, event_type, event_name, null, null, null);
create or replace temp macro day_event(source, event_type, event_name, os)
as combo_of('day event', source, event_type, event_name, os, null, null);
create or replace temp macro page_combo(page_url) as combo_of('page', page_url, null, null, null, null, null);
create or replace temp macro acquisition_combo(referrer_host, channel, utm_source, utm_medium, utm_campaign)
as combo_of('acquisition', referrer_host, channel, utm_source, utm_medium, utm_campaign, null);

-- Postgres cannot store NUL, and its index cannot hold an address of thousands of characters.
create or replace temp macro storable(value) as left(replace(value, chr(0), '�'), 500);

-- An instant's UTC hour as a number, which is quick to group by, and back.
create or replace temp macro hour_number(instant) as epoch_us(instant) // 3600000000;
create or replace temp macro instant_of(hour_number) as to_timestamp(hour_number * 3600);

-- A session without an id of the client's is a run of events with gaps of at most 30 minutes, in microseconds.
create or replace temp macro longest_gap() as 1800000000;

create or replace temp macro kept_values() as getvariable('kept_values');

-- In these, `cuts` (combo, cut_id) says which cuts a key counts in.
--
-- Distinct actors of every cut in a relation of keys (period_id, combo, actor, is_user, is_human).
create or replace temp macro visitors_in(keys, cuts) as table
    with
    actors as (
        select
            keys.period_id,
            cuts.cut_id,
            keys.actor,
            bool_or(keys.is_user) as is_user,
            bool_or(keys.is_human) as is_human
        from query_table(keys) as keys
        inner join query_table(cuts) as cuts using (combo)
        group by all
    )

    select
        period_id,
        cut_id,
        count(*) filter (where is_user) as users,
        count(*) filter (where is_user and is_human) as human_users,
        count(*) as visitors,
        count(*) filter (where is_human) as human_visitors
    from actors
    group by all;

-- Distinct sessions of the client in every cut, from keys (period_id, combo, session, human_session, is_human). What a
-- server sends may be of another session where bots are as if absent.
create or replace temp macro sessions_in(keys, cuts) as table
    with
    occurrences as (
        select
            period_id,
            combo,
            session,
            true as in_all,
            is_human and human_session = session as in_humans
        from query_table(keys)
        where session <> 0
        union all
        select
            period_id,
            combo,
            human_session as session,
            false as in_all,
            true as in_humans
        from query_table(keys)
        where is_human and human_session not in (0, session)
    ),

    sessions as (
        select
            occurrences.period_id,
            cuts.cut_id,
            occurrences.session,
            bool_or(occurrences.in_all) as in_all,
            bool_or(occurrences.in_humans) as in_humans
        from occurrences
        inner join query_table(cuts) as cuts using (combo)
        group by all
    )

    select
        period_id,
        cut_id,
        count(*) filter (where in_all) as sessions,
        count(*) filter (where in_humans) as human_sessions
    from sessions
    group by all;

-- The runs that events without a session_id make, from events (period_id, actor, is_human, event_us, combos): in which
-- of its actor's runs each combo occurs. Those of humans are told as if bots' events were absent: they may be others.
create or replace temp macro runs_of(events) as table
    with
    gaps as (
        select
            *,
            event_us - lag(event_us) over (partition by period_id, actor order by event_us) as gap,
            event_us - lag(event_us) over (partition by period_id, actor, is_human order by event_us) as own_gap
        from query_table(events)
    ),

    numbered as (
        select
            *,
            count(*) filter (where gap > longest_gap())
                over (partition by period_id, actor order by event_us rows unbounded preceding)
                as run_no,
            count(*) filter (where own_gap > longest_gap())
                over (partition by period_id, actor, is_human order by event_us rows unbounded preceding)
                as own_run_no
        from gaps
    )

    select distinct
        period_id,
        actor,
        is_human,
        run_no,
        own_run_no,
        unnest(combos) as combo
    from numbered;

-- Number of runs in every cut, from what `runs_of` gives.
create or replace temp macro runs_in(runs, cuts) as table
    with
    all_runs as (
        select distinct
            runs.period_id,
            cuts.cut_id,
            runs.actor,
            runs.run_no,
            false as is_of_humans
        from query_table(runs) as runs
        inner join query_table(cuts) as cuts using (combo)
        union all
        select distinct
            runs.period_id,
            cuts.cut_id,
            runs.actor,
            runs.own_run_no,
            true as is_of_humans
        from query_table(runs) as runs
        inner join query_table(cuts) as cuts using (combo)
        where runs.is_human
    )

    select
        period_id,
        cut_id,
        count(*) filter (where not is_of_humans) as sessions,
        count(*) filter (where is_of_humans) as human_sessions
    from all_runs
    group by all;

-- By how much the distinct ids of every cut change, from keys (period_id, combo, id, is_user, is_human) that count
-- `before`, `after`, and so of humans. `others` (period_id, combo, other_id and the four likewise) are values not told
-- apart. Ids that do not come or go are passed over.
create or replace temp macro changes_in(keys, cuts, others) as table
    with occurrences as materialized (
        select
            keys.period_id,
            cuts.cut_id,
            keys.id,
            keys.is_user,
            keys.before,
            keys.after,
            keys.human_before,
            keys.human_after
        from query_table(keys) as keys
        inner join query_table(cuts) as cuts using (combo)
        union all
        select
            keys.period_id,
            others.other_id as cut_id,
            keys.id,
            keys.is_user,
            keys.before and others.before as before,
            keys.after and others.after as after,
            keys.human_before and others.human_before as human_before,
            keys.human_after and others.human_after as human_after
        from query_table(keys) as keys
        inner join query_table(others) as others using (period_id, combo)
    ),

    moving as (
        from occurrences select distinct
            period_id,
            cut_id,
            id
        where before <> after or human_before <> human_after
    ),

    ids as (
        select
            period_id,
            cut_id,
            id,
            bool_or(is_user) as is_user,
            bool_or(after)::int - bool_or(before)::int as change,
            bool_or(human_after)::int - bool_or(human_before)::int as human_change
        from occurrences
        semi join moving using (period_id, cut_id, id)
        group by all
    )

    select
        period_id,
        cut_id,
        sum(change) filter (where is_user) as user_change,
        sum(human_change) filter (where is_user) as human_user_change,
        sum(change) as change,
        sum(human_change) as human_change
    from ids
    group by all;

-- Uniques of the rows `other`, in one pass: keys (period_id, other_id, actor, is_user, session, human_session, in_all,
-- in_humans) of values that are not told apart in the one traffic, the other or both.
create or replace temp macro other_visitors_in(keys) as table
    with
    actors as (
        select
            period_id,
            other_id,
            actor,
            bool_or(is_user) as is_user,
            bool_or(in_all) as in_all,
            bool_or(in_humans) as in_humans
        from query_table(keys)
        group by all
    )

    select
        period_id,
        other_id,
        count(*) filter (where in_all and is_user) as users,
        count(*) filter (where in_humans and is_user) as human_users,
        count(*) filter (where in_all) as visitors,
        count(*) filter (where in_humans) as human_visitors
    from actors
    group by all;

create or replace temp macro other_sessions_in(keys) as table
    with
    occurrences as (
        select
            period_id,
            other_id,
            session,
            in_all,
            in_humans and human_session = session as in_humans
        from query_table(keys)
        where session <> 0
        union all
        select
            period_id,
            other_id,
            human_session as session,
            false as in_all,
            true as in_humans
        from query_table(keys)
        where in_humans and human_session not in (0, session)
    ),

    sessions as (
        select
            period_id,
            other_id,
            session,
            bool_or(in_all) as in_all,
            bool_or(in_humans) as in_humans
        from occurrences
        group by all
    )

    select
        period_id,
        other_id,
        count(*) filter (where in_all) as sessions,
        count(*) filter (where in_humans) as human_sessions
    from sessions
    group by all;

-- The same of runs (period_id, other_id, actor, run_no, own_run_no, in_all, in_humans).
create or replace temp macro other_runs_in(runs) as table
    with
    united as (
        select distinct
            period_id,
            other_id,
            actor,
            run_no,
            false as is_of_humans
        from query_table(runs)
        where in_all
        union all
        select distinct
            period_id,
            other_id,
            actor,
            own_run_no,
            true as is_of_humans
        from query_table(runs)
        where in_humans
    )

    select
        period_id,
        other_id,
        count(*) filter (where not is_of_humans) as sessions,
        count(*) filter (where is_of_humans) as human_sessions
    from united
    group by all;

-- Keys, and runs, of values that are not told apart: those of `combos` (period_id, combo, other_id, is_other,
-- is_other_of_humans).
create or replace temp macro other_keys(keys, combos) as table
    select
        keys.period_id,
        combos.other_id,
        keys.actor,
        keys.is_user,
        keys.session,
        keys.human_session,
        combos.is_other as in_all,
        combos.is_other_of_humans and keys.is_human as in_humans
    from query_table(keys) as keys
    inner join query_table(combos) as combos using (period_id, combo);

create or replace temp macro other_runs(runs, combos) as table
    select
        runs.period_id,
        combos.other_id,
        runs.actor,
        runs.run_no,
        runs.own_run_no,
        combos.is_other as in_all,
        combos.is_other_of_humans and runs.is_human as in_humans
    from query_table(runs) as runs
    inner join query_table(combos) as combos using (period_id, combo);

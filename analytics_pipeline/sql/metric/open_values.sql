-- Which values are told apart once the new events (`cut_counts`) are in, and what the rest, `other`, was and is.
create or replace temp table event_total as
with
parts as (
    select
        period_id,
        cut_id,
        dimension,
        events,
        human_events
    from cut
    semi join wanted using (period_id)
    where is_value
    union all
    select
        cut_counts.period_id,
        cut_counts.cut_id,
        cut_name.dimension,
        cut_counts.events,
        cut_counts.human_events
    from cut_counts
    inner join cut_name using (cut_id)
    where cut_name.value_kind = 'value'
)

select
    period_id,
    cut_id,
    any_value(dimension) as dimension,
    sum(events)::bigint as events,
    sum(human_events)::bigint as human_events
from parts
group by period_id, cut_id;

-- Numbers of events only grow: what is among the first has as many as the last of those that were.
create or replace temp table kept_now as
with
sizes as (
    select
        period_id,
        dimension,
        count(*) as all_values,
        count(*) filter (where human_events > 0) as human_values
    from event_total
    group by all
),

crowded as (
    select
        period_id,
        dimension,
        false as is_of_humans
    from sizes
    where all_values > kept_values()
    union all
    select
        period_id,
        dimension,
        true as is_of_humans
    from sizes
    where human_values > kept_values()
),

fewest as (
    select
        kept_value.period_id,
        kept_value.dimension,
        kept_value.is_of_humans,
        min(case when kept_value.is_of_humans then event_total.human_events else event_total.events end) as events
    from kept_value
    inner join event_total using (period_id, cut_id)
    group by all
),

candidates as (
    select
        event_total.period_id,
        event_total.dimension,
        event_total.cut_id,
        crowded.is_of_humans,
        case when crowded.is_of_humans then event_total.human_events else event_total.events end as events
    from event_total
    inner join crowded using (period_id, dimension)
)

select
    candidates.period_id,
    candidates.dimension,
    candidates.cut_id,
    candidates.is_of_humans
from candidates
left join fewest using (period_id, dimension, is_of_humans)
inner join cut_name on candidates.cut_id = cut_name.cut_id
where candidates.events >= coalesce(fewest.events, 1)
qualify row_number() over (
    partition by candidates.period_id, candidates.dimension, candidates.is_of_humans
    order by candidates.events desc, cut_name.value asc
) <= kept_values();

create or replace temp table entering as
from kept_now
anti join kept_value using (period_id, cut_id, is_of_humans);

-- Values that are not told apart, before or now, in the one traffic or the other.
create or replace temp table other_cut as
with
crowds as (
    select
        period_id,
        dimension,
        bool_or(was_kept and not is_of_humans) as before,
        bool_or(is_kept and not is_of_humans) as after,
        bool_or(was_kept and is_of_humans) as human_before,
        bool_or(is_kept and is_of_humans) as human_after
    from (
        select
            *,
            true as was_kept,
            false as is_kept
        from kept_value
        union all
        select
            *,
            false as was_kept,
            true as is_kept
        from kept_now
    ) as kept
    group by all
),

kept_values as (
    select
        period_id,
        cut_id,
        bool_or(was_kept and not is_of_humans) as before,
        bool_or(is_kept and not is_of_humans) as after,
        bool_or(was_kept and is_of_humans) as human_before,
        bool_or(is_kept and is_of_humans) as human_after
    from (
        select
            *,
            true as was_kept,
            false as is_kept
        from kept_value
        union all
        select
            *,
            false as was_kept,
            true as is_kept
        from kept_now
    ) as kept
    group by all
),

flags as (
    select
        event_total.period_id,
        event_total.cut_id,
        event_total.dimension,
        other_of(event_total.dimension) as other_id,
        crowds.before and not coalesce(kept_values.before, false) as before,
        crowds.after and not coalesce(kept_values.after, false) as after,
        crowds.human_before and not coalesce(kept_values.human_before, false) as human_before,
        crowds.human_after and not coalesce(kept_values.human_after, false) as human_after
    from event_total
    inner join crowds using (period_id, dimension)
    left join kept_values using (period_id, cut_id)
)

from flags
where before or after or human_before or human_after;

create or replace temp table other_combo as
select
    other_cut.* exclude (cut_id, dimension),
    combo.combo
from other_cut
inner join combo using (cut_id);

-- Values that may have been handed out.
create or replace temp table leaving as
select
    period_id,
    dimension,
    cut_id,
    false as is_of_humans
from other_cut
where after and not before
union all
select
    period_id,
    dimension,
    cut_id,
    true as is_of_humans
from other_cut
where human_after and not human_before;

-- Who occurs with a value that begins or ceases to be told apart, in any period: these are counted again in the rows
-- `other`. One number is quicker to look up than two.
create or replace temp table moved_key as
with moved as (
    select distinct combo
    from other_combo
    where before <> after or human_before <> human_after
)

select distinct
    kept_key.actor,
    kept_key.session
from kept_key
semi join moved using (combo);

delete from kept_value
where period_id in (select period_id from wanted);

insert into kept_value by name
from kept_now

-- Whoever did a step did those before it, and who is under way at a step has reached it.
with steps as (
    select
        step.*,
        lag(step.users) over (
            partition by step.funnel_id, step.breakdown_kind, step.breakdown_value order by step.step_no
        ) as before
    from rollups.funnel_step as step
)

select
    app_id,
    format(
        'funnel %s, %s %s, step %s: users %s, before %s, in progress %s',
        funnel_id, breakdown_kind, breakdown_value, step_no, users, before, in_progress
    ) as line
from steps
where users < 0 or users > before or in_progress < 0 or in_progress > users

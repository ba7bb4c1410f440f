-- Every user is a visitor, so there are never more users.
select
    metric.app_id,
    format(
        '%s of %s, %s %s: users %s, visitors %s',
        metric.grain, metric.local_date, metric.dimension, metric.value, metric.users, metric.visitors
    ) as line
from rollups.metric
inner join recent using (app_id, grain, period_start)
where metric.users > metric.visitors

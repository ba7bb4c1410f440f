-- Keys of rows of rollups.metric that were handed out and are part of the row `other` now (`leaving`).
select
    wanted.app_id,
    wanted.grain,
    wanted.period_start,
    case when leaving.is_of_humans then 'human' else 'all' end as traffic,
    leaving.dimension,
    cut_name.value_kind,
    cut_name.value
from leaving
inner join cut_name using (cut_id)
inner join wanted using (period_id)

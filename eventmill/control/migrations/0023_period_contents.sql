-- A server's event counts in the session that it joins, which may have begun before the hour or day: one number of what
-- those sessions were when a closed period of `metric` was counted, so that the refresh of sessions sees where they have
-- become others. 0: all of them meet the period, as they mostly do.
alter table rollups.periods add column server_joins bigint not null default 0;

-- One number of all rows of a period, as they were written: so a comparison finds rows that somebody deleted or changed.
-- Null for open hours and days, which are written row by row.
alter table rollups.periods add column content numeric;

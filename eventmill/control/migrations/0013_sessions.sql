-- Sessions by the page they entered on are rows of `session_metric` now. The view on the old table goes with it; the
-- marts are built anew after the migrations.
drop table rollups.page_session cascade;
delete from rollups.periods
where table_name = 'page_session';
-- Nobody asks for the sessions, weeks and months of events that are there already, but a comparison: at once, not at the
-- next full hour.
insert into rollups.reconcile_request (wanted_at)
select clock_timestamp()
where exists (select from rollups.periods)
on conflict (only_row) do update set wanted_at = excluded.wanted_at;

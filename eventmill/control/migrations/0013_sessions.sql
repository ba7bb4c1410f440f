-- Sessions by the page they entered on are rows of `session_metric` now. The view on the old table goes with it; the
-- marts are built anew after the migrations.
drop table rollups.page_session cascade;
delete from rollups.periods
where table_name = 'page_session';

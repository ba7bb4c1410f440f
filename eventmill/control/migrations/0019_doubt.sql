-- The transaction that last asked for a period to be computed again whatever version it claims: a computation that
-- began before it was over may rest on what is wrong, and does not make the period clean.
alter table rollups.periods add column doubted_by xid8;

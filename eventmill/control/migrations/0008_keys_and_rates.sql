-- Web origins whose pages may send with a key; '*' is any. A write key stands in a page anyway, so any is its default.
alter table control.credential add column allowed_origins text[] not null default '{}';
update control.credential set allowed_origins = '{*}' where kind = 'write';

-- Events that the gateways take per second; 0 is no limit.
alter table control.app
add column events_per_second integer not null default 0 check (events_per_second >= 0);

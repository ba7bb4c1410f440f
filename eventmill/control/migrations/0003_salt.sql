-- Salts of the ids that web visitors without cookies get, one a UTC day. All gateways share them; a salt is destroyed
-- a day after its own, and nobody can tell an address from an id any more.
create table control.visitor_salt (
    salt_date date primary key,
    salt bytea not null
);

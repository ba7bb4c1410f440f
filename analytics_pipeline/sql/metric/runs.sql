-- The runs of `cut_loose`.
create or replace temp table cut_run as from runs_of('cut_loose')

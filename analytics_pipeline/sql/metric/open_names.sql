-- Remember combos and cuts that are new.
insert into combo
from fresh_combo
anti join combo using (combo, cut_id);

insert into cut_name
from fresh_cut
anti join cut_name using (cut_id)

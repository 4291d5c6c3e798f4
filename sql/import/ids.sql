-- Where a rehearsal keeps the ids that have come.
create table ids (id uuid)

-- Keeps those ids of a rehearsed batch's good events that have not come before, once each.
insert into ids
select distinct good.id::uuid from good anti join ids on ids.id = good.id::uuid

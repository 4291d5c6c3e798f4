-- Takes out all visits.
delete from conversion_funnels

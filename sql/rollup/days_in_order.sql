-- The days to compute, in order, with the number of their events.
select day, events from days order by day

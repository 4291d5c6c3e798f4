-- The touched days in order, with the number of their kept events, and whether they are closed.
select day, events, closed from days order by day

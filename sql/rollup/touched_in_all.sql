-- First and last touched day.
select min(day), max(day) from touched

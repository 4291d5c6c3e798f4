-- First and last of the days to compute.
select min(day), max(day) from quarters

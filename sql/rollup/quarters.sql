-- Quarters of an hour of the days to compute.
-- :timezone  the tenant's
create or replace temp table quarters as
select quarter, day
from (
    select day, unnest(range(quarter_of(day::timestamp) - 96, quarter_of(day::timestamp) + 192)) as quarter
    from touched
    where day not in (select day from closed)
)
where local_day(quarter, $timezone) = day

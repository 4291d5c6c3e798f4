-- Quarters of an hour of the touched days.
-- :timezone  the tenant's
create or replace temp table quarters as
select quarter, day, day in (select day from closed) as closed
from (
    select day, unnest(range(quarter_of(day::timestamp) - 96, quarter_of(day::timestamp) + 192)) as quarter
    from touched
)
where local_day(quarter, $timezone) = day

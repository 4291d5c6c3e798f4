-- Local days on which an event arrived.
-- :timezone  the tenant's
create or replace temp table touched as
select distinct local_day(quarter, $timezone) as day
from arrived

-- First and last day, in UTC, on which an event arrived.
select local_day(min(quarter), 'UTC'), local_day(max(quarter), 'UTC') from arrived

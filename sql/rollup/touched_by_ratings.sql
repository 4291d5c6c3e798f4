-- Days that a late call changes: a rating without a user is its call's agent's.
-- :row_id    the last row that was read
-- :timezone  the tenant's
-- :begins    first instant of what arrived
-- :ends      last instant of what arrived
insert into touched
with rating as (
    select event_data ->> '$.call_id' as call_id, created_at
    from analytics_events
    where
        event_type = 'survey.rated'
        and user_id is null
        and created_at >= $begins - interval 7 days
        and created_at < $ends + interval 7 days
),
call as (
    select event_data ->> '$.call_id' as call_id, created_at
    from analytics_events
    where rowid > $row_id and event_type = 'call.completed' and user_id is not null
)
select distinct local_day(quarter_of(rating.created_at), $timezone)
from rating
inner join call on
    rating.call_id = call.call_id
    and rating.created_at between call.created_at - interval 7 days and call.created_at + interval 7 days
where local_day(quarter_of(rating.created_at), $timezone) not in (select day from touched)

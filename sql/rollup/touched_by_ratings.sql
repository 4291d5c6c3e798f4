-- Days that a late call changes: a rating without a user is its call's agent's.
-- :row_id    the row before the first event that arrived
-- :last_row  the last row of them
-- :timezone  the tenant's
-- :begins    where to look for such ratings: from this instant
-- :ends      to before this one
insert into touched
with rating as (
    select event_data ->> '$.call_id' as call_id, created_at
    from analytics_events
    where event_type = 'survey.rated' and user_id is null and created_at >= $begins and created_at < $ends
),
call as (
    select event_data ->> '$.call_id' as call_id, created_at
    from analytics_events
    where rowid > $row_id and rowid <= $last_row and event_type = 'call.completed' and user_id is not null
)
select distinct local_day(quarter_of(rating.created_at), $timezone) as day
from rating
inner join call on
    rating.call_id = call.call_id
    and rating.created_at between call.created_at - interval 7 days and call.created_at + interval 7 days
where day not in (select day from touched)

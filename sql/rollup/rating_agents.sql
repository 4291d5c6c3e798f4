-- Whose the ratings without a user are: the agent's of the call, the last one within seven days.
-- :last_row  the last row that is read
-- :begins    ratings from this instant
-- :ends      to before this one
create or replace temp table rating_agents as
with rating as (
    select id as event_id, event_data ->> '$.call_id' as call_id, created_at
    from analytics_events
    where
        event_type = 'survey.rated'
        and user_id is null
        and rowid <= $last_row
        and created_at >= $begins
        and created_at < $ends
),
call as (
    select id as event_id, event_data ->> '$.call_id' as call_id, created_at, user_id
    from analytics_events
    where
        event_type = 'call.completed'
        and user_id is not null
        and rowid <= $last_row
        and created_at >= $begins - interval 7 days
        and created_at < $ends + interval 7 days
)
select rating.event_id, max_by(call.user_id, (call.created_at, call.event_id)) as agent_id
from rating
inner join call on
    rating.call_id = call.call_id
    and rating.created_at between call.created_at - interval 7 days and call.created_at + interval 7 days
group by rating.event_id

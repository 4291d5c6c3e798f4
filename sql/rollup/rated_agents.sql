-- Gives a rating without a user to the agent of its call, the last one within seven days of it.
-- :begins  an instant before the days of the facts
-- :ends    an instant after them
update facts
set user_id = agent.user_id
from (
    select rating.event_id, max_by(call.user_id, (call.created_at, call.event_id)) as user_id
    from facts as rating
    inner join (
        select event_id, call_id, created_at, user_id
        from facts
        where event_type = 'call.completed' and user_id is not null
        union all
        select id, event_data ->> '$.call_id', created_at, user_id
        from analytics_events
        where
            event_type = 'call.completed'
            and user_id is not null
            and created_at >= $begins - interval 7 days
            and created_at < $ends + interval 7 days
            and quarter_of(created_at) not in (select quarter_of(created_at) from facts)
    ) as call on
        call.call_id = rating.call_id
        and call.created_at between rating.created_at - interval 7 days and rating.created_at + interval 7 days
    where rating.event_type = 'survey.rated' and rating.user_id is null
    group by rating.event_id
) as agent
where facts.event_id = agent.event_id

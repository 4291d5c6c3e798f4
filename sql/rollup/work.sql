-- What each user did on each day of the facts, and what nobody in particular did (user null): counts, and sums of seconds and ratings.
create or replace temp table work as
select
    day,
    user_id,
    count(*) filter (event_type = 'call.completed') as calls_offered,
    count(*) filter (answered) as calls_handled,
    coalesce(sum(duration_seconds) filter (answered), 0) as call_seconds_sum,
    count(duration_seconds) filter (answered) as calls_with_duration,
    coalesce(sum(wait_seconds) filter (answered), 0) as answer_seconds_sum,
    count(wait_seconds) filter (answered) as calls_with_answer_seconds,
    coalesce(sum(wait_seconds), 0) as wait_seconds_sum,
    count(wait_seconds) as calls_with_wait,
    count(*) filter (answered and resolved) as calls_resolved,
    count(resolved) filter (answered) as calls_with_resolution,
    count(*) filter (event_type = 'task.completed') as tasks_completed,
    coalesce(sum(available_seconds), 0) as available_seconds,
    coalesce(sum(rating), 0) as rating_sum,
    count(rating) as ratings,
    count(*) filter (event_type not in ('survey.rated', 'campaign.spent')) as actions
from facts
group by day, user_id

-- What each user did on each day of the facts, and what nobody in particular did (user null): counts, and sums of seconds and ratings.
create or replace temp table work as
select
    day,
    user_id,
    count(*) filter (kind = 6) as calls_offered,
    count(*) filter (answered) as calls_handled,
    coalesce(sum(number) filter (answered), 0) as call_seconds_sum,
    count(number) filter (answered) as calls_with_duration,
    coalesce(sum(wait_seconds) filter (answered), 0) as answer_seconds_sum,
    count(wait_seconds) filter (answered) as calls_with_answer_seconds,
    coalesce(sum(wait_seconds) filter (kind = 6), 0) as wait_seconds_sum,
    count(wait_seconds) filter (kind = 6) as calls_with_wait,
    count(*) filter (answered and resolved) as calls_resolved,
    count(resolved) filter (answered) as calls_with_resolution,
    count(*) filter (kind = 8) as tasks_completed,
    coalesce(sum(number) filter (kind = 9), 0) as available_seconds,
    coalesce(sum(number) filter (kind = 7), 0) as rating_sum,
    count(number) filter (kind = 7) as ratings,
    count(*) filter (kind not in (7, 10)) as actions
from facts
where not closed
group by day, user_id

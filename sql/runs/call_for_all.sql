-- Puts turns into the queue until there is one for each run that is due, up to a number that keeps every worker at work.
-- :most  that number
select queue.procrastinate_defer_jobs_v1(array_agg(cast(row('runs', 'turn', 0, null, null, '{}', null) as queue.procrastinate_job_to_defer_v1)))
from generate_series(
    1,
    (select count(*) from (select from report_executions where status = 'queued' and due_at <= now() limit $most) due)
    - (
        select count(*) from (
            select from queue.procrastinate_jobs where status = 'todo' and (scheduled_at is null or scheduled_at <= now()) limit $most
        ) turns
    )
)
having count(*) > 0

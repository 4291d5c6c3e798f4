-- Puts one turn into the queue.
-- :due_at  when it may be taken; null: now
select queue.procrastinate_defer_jobs_v1(
    array[cast(row('runs', 'turn', 0, null, null, '{}', cast($due_at as timestamptz)) as queue.procrastinate_job_to_defer_v1)]
)

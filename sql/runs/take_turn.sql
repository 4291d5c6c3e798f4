-- Takes one turn out of the queue, for a worker that goes on without having waited for it.
delete from queue.procrastinate_jobs
where id = (
    select id from queue.procrastinate_jobs
    where status = 'todo' and (scheduled_at is null or scheduled_at <= now())
    order by priority desc, id limit 1 for update skip locked
)

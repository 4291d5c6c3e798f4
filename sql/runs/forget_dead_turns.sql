-- Removes the turns of workers that are dead.
-- :silence  seconds without a sign of life after which one is
delete from queue.procrastinate_jobs
where status = 'doing' and not exists (
    select from queue.procrastinate_workers where id = worker_id and last_heartbeat >= now() - make_interval(secs => $silence)
)

-- What waits, by priority, how long the longest has been due, how many runs are under way and how many workers live.
-- :silence  seconds after which a worker counts as dead
select
    coalesce(
        (
            select json_agg(json_build_object('priority', priority, 'waiting', waiting, 'oldest', oldest))
            from (
                select priority, count(*) as waiting, coalesce(extract(epoch from now() - min(due_at)), 0) as oldest
                from report_executions where status = 'queued' group by priority
            ) as waiting
        ),
        '[]'
    ) as waiting,
    (select count(*) from report_executions where status = 'running') as running,
    (
        select count(*) from queue.procrastinate_workers
        where last_heartbeat >= now() - make_interval(secs => $silence)
    ) as workers

-- Runs that nobody has told of for so long that their worker is dead; none while the server itself is younger than that.
-- :silence  that long, in seconds
-- :ours     ids of runs that whoever asks is executing
select id from report_executions
where status = 'running' and coalesce(heartbeat_at, started_at) < now() - make_interval(secs => $silence)
    and pg_postmaster_start_time() < now() - make_interval(secs => $silence)
    and not id = any(cast($ours as uuid[]))
for update skip locked

-- How far this roll-up came.
-- :tenant_id  the tenant
-- :last_row   the last row that was read
-- :timezone   in which the days were cut
insert into rollup_state by name
select
    $tenant_id as tenant_id,
    (select id from ducklake_current_snapshot(current_database())) as snapshot_id,
    $last_row as last_row,
    $timezone as timezone

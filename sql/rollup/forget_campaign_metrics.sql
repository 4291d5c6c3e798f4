-- Takes out the days that were computed again.
-- :first_day  the first of them
-- :last_day   the last of them
delete from campaign_metrics
where metric_date between $first_day and $last_day and metric_date in (select day from touched where day not in (select day from closed))

-- Full names of the files that hold a table of the lake today, and of those that list its deleted rows.
-- :table  the table
with listed as (
    from ducklake_list_files('lake', $table)
)
select data_file as file
from listed
union all
select delete_file
from listed
where delete_file is not null

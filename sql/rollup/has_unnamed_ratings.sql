-- Whether there are ratings without a user among the facts.
select count(*) > 0 from facts where kind = 7 and user_id is null

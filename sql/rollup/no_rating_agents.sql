-- There are no ratings without a user.
create or replace temp table rating_agents (event_id uuid, agent_id varchar)

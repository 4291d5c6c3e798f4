-- Gives the ratings without a user to the agents of their calls.
update facts
set user_id = agent_id
from rating_agents
where facts.event_id = rating_agents.event_id

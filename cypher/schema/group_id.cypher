// About: finds a group by its id, over all runs
// Parameters: none
// Rows: none
CREATE INDEX group_id IF NOT EXISTS
FOR (group:Group) ON (group.id)

// About: deletes who is in the groups of a run, and the words about them.
// Parameters: run (text)
// Rows: none
MATCH (run:Run {id: $run})-[:FOUND]->(group:Group)
REMOVE group.reasons, group.doubts
WITH group
MATCH (group)-[member:INCLUDES]->(:Account)
DELETE member

// About: deletes a draft that nothing hangs on any more.
// Parameters: draft (text: its key)
// Rows: none
MATCH (draft:Draft {key: $draft})
OPTIONAL MATCH (draft)-[:FOUND]->(group:Draft)
DETACH DELETE group, draft

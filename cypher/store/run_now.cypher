// About: the current run, without its members and details.
// Parameters: none
// Rows: id (text), created_at (datetime), summary (text: JSON); none before the first run
MATCH (:Store {single: 1})-[:CURRENT]->(run:Run)-[:HAS_RESULT]->(result:Result)
RETURN run.id AS id, run.created_at AS created_at, result.summary AS summary

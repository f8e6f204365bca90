// About: the runs whose id begins so, newest first, without their members and details.
// Parameters: prefix (text)
// Rows: id (text), created_at (datetime), summary (text: JSON)
MATCH (run:Run)-[:HAS_RESULT]->(result:Result)
WHERE run.id STARTS WITH $prefix
RETURN run.id AS id, run.created_at AS created_at, result.summary AS summary
ORDER BY run.number DESC

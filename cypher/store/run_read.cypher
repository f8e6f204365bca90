// About: a run, whole.
// Parameters: id (text)
// Rows: created_at (datetime), summary (text: JSON), result (text: JSON, or null when pruned),
//  details (text: JSON, or null when pruned)
MATCH (run:Run {id: $id})-[:HAS_RESULT]->(result:Result)
RETURN run.created_at AS created_at, result.summary AS summary, result.result AS result,
  result.details AS details

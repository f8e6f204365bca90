// About: leaves of a run's JSON its summary.
// Parameters: run (text), summary (text: JSON)
// Rows: none
MATCH (run:Run {id: $run})-[:HAS_RESULT]->(result:Result)
SET run.pruned = true, result.summary = $summary
REMOVE result.result, result.details

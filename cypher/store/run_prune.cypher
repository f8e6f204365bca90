// About: leaves of a run's JSON its summary, and of its groups the figures.
// Parameters: run (text), summary (text: JSON)
// Rows: none
MATCH (run:Run {id: $run})-[:HAS_RESULT]->(result:Result)
SET run.pruned = true, result.summary = $summary
REMOVE result.result, result.details
WITH run
MATCH (run)-[:FOUND]->(group:Group)
REMOVE group.reasons, group.doubts

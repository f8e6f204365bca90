// About: records that what a dead load left has been cleared.
// Parameters: batch (integer)
// Rows: none
MATCH (batch:Batch {batch: $batch})
USING INDEX batch:Batch(batch)
WHERE batch.state = 'open'
SET batch.state = 'dead'

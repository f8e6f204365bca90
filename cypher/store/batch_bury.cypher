// About: records that what a dead load left has been cleared.
// Parameters: batch (integer)
// Rows: none
MATCH (batch:Batch {batch: $batch, state: 'open'})
SET batch.state = 'dead'

// About: every committed change, in the order of their commits.
// Parameters: none
// Rows: batch (map of the properties of a batch)
MATCH (batch:Batch {state: 'committed'})
WITH batch ORDER BY batch.position
RETURN batch {.*} AS batch

// About: loads that began and are not committed, and where what they wrote begins.
// Parameters: none
// Rows: batch (integer), kind (text), first_seq (integer), first_ix (integer)
MATCH (batch:Batch {state: 'open'})
RETURN batch.batch AS batch, batch.kind AS kind, batch.first_seq AS first_seq,
  batch.first_ix AS first_ix
ORDER BY batch

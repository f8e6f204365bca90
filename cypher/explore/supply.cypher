// About: the base against which shares are taken, as it was set from date to date.
// Parameters: none
// Rows: valid_from (datetime), amount (text, exact), batch (integer), user (text),
//  set_at (text)
MATCH (supply:Supply)
MATCH (batch:Batch {batch: supply.batch, state: 'committed'})
RETURN supply.valid_from AS valid_from, supply.amount AS amount, supply.batch AS batch,
  batch.user AS user, batch.committed_at AS set_at
ORDER BY valid_from DESC, batch DESC
LIMIT 100

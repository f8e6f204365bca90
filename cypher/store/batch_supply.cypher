// About: records the base from a date on, as a batch of its own.
// Parameters: amount (text), valid_from (text), user (text), at (text)
// Rows: batch (integer)
MATCH (store:Store {single: 1})
SET store.locked = true
WITH store
SET store.next_batch = store.next_batch + 1,
  store.next_position = store.next_position + 1
REMOVE store.locked
CREATE (batch:Batch {
  batch: store.next_batch - 1, position: store.next_position - 1, state: 'committed',
  action: 'supply', user: $user, begun_at: $at, committed_at: $at, visible: false
})
CREATE (:Supply {batch: batch.batch, amount: $amount, valid_from: datetime($valid_from)})
RETURN batch.batch AS batch

// About: a new load, open until it is committed.
// Parameters: kind (text), source (text), user (text), at (text)
// Rows: batch (integer), first_seq (integer), first_ix (integer)
MATCH (store:Store {single: 1})
SET store.locked = true
WITH store
MATCH (loader:Loader {single: 1})
SET store.next_batch = store.next_batch + 1
REMOVE store.locked
CREATE (batch:Batch {
  batch: store.next_batch - 1, state: 'open', action: 'load', kind: $kind, source: $source,
  user: $user, begun_at: $at, parts: 0, visible: false,
  first_seq: loader.next_seq, first_ix: loader.next_ix
})
RETURN batch.batch AS batch, batch.first_seq AS first_seq, batch.first_ix AS first_ix

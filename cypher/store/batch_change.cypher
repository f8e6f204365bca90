// About: withdraws a load or brings it back, as a batch of its own.
// Parameters: action (text: withdraw or reinstate), target (integer), user (text), at (text)
// Rows: batch (integer): none where the target is no committed load, or is in that state already
MATCH (store:Store {single: 1})
SET store.locked = true
WITH store
MATCH (load:Batch {batch: $target, state: 'committed', action: 'load'})
WHERE load.visible = ($action = 'withdraw')
SET load.visible = NOT load.visible,
  store.next_batch = store.next_batch + 1,
  store.next_position = store.next_position + 1
REMOVE store.locked
CREATE (batch:Batch {
  batch: store.next_batch - 1, position: store.next_position - 1, state: 'committed',
  action: $action, target: $target, user: $user, begun_at: $at, committed_at: $at, visible: false
})
RETURN batch.batch AS batch

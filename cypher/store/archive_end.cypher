// About: records that a month is back, as a batch of its own: from here on every reader sees its
//  rows, which are at places of their own.
// Parameters: name (text), batches (list of integer: the loads that have rows in it), user (text),
//  at (text)
// Rows: none
MATCH (store:Store {single: 1})
SET store.locked = true
WITH store
MATCH (archive:Archive {kept: $name})
WHERE archive.state = 'unsettled'
SET archive.state = 'back',
  store.next_batch = store.next_batch + 1,
  store.next_position = store.next_position + 1
REMOVE store.locked
CREATE (:Batch {
  batch: store.next_batch - 1, position: store.next_position - 1, state: 'committed',
  action: 'unarchive', source: archive.month, target: archive.batch, user: $user, begun_at: $at,
  committed_at: $at, visible: false
})
WITH archive
MATCH (loader:Loader {single: 1})
UNWIND $batches AS number
MATCH (load:Batch {batch: number})
SET load.more_seq = coalesce(load.more_seq, []) + [archive.first_seq, loader.next_seq]

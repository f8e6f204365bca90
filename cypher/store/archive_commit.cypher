// About: records that a month is in the archive, as a batch of its own: from here on no reader sees
//  its rows.
// Parameters: name (text), month, folder, sha256 (text), rows (text: JSON, by kind), batches (text:
//  JSON, rows by load), format (integer: of a store with an archive), user (text), at (text)
// Rows: batch (integer)
MATCH (store:Store {single: 1})
SET store.locked = true
WITH store
MATCH (archive:Archive {kept: $name})
WITH store, archive, archive.state = 'draft' AS draft
SET store.next_batch = store.next_batch + CASE WHEN draft THEN 1 ELSE 0 END,
  store.next_position = store.next_position + CASE WHEN draft THEN 1 ELSE 0 END,
  store.format = $format
REMOVE store.locked
FOREACH (once IN CASE WHEN draft THEN [archive] ELSE [] END |
  SET once.state = 'unsettled', once.batch = store.next_batch - 1,
    once.position = store.next_position - 1, once.month = $month, once.folder = $folder,
    once.sha256 = $sha256, once.rows = $rows, once.batches = $batches
  CREATE (:Batch {
    batch: store.next_batch - 1, position: store.next_position - 1, state: 'committed',
    action: 'archive', source: $month, user: $user, begun_at: $at, committed_at: $at,
    visible: false
  })
)
RETURN archive.batch AS batch

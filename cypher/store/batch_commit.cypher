// About: makes a load visible: the one change that readers go by.
// Parameters: batch (integer), at (text), read, loaded, known, conflicts, quarantined (integers),
//  latest_at (text or null), has_revisions (boolean), complete_at (list of text)
// Rows: state (text): none where the load is neither open nor committed
MATCH (store:Store {single: 1})
SET store.locked = true
WITH store
MATCH (batch:Batch {batch: $batch})
WHERE batch.state IN ['open', 'committed']
WITH store, batch
MATCH (loader:Loader {single: 1})
WITH store, batch, loader, batch.state = 'open' AS open
SET store.next_position = store.next_position + CASE WHEN open THEN 1 ELSE 0 END
REMOVE store.locked
FOREACH (once IN CASE WHEN open THEN [batch] ELSE [] END |
  SET once.state = 'committed', once.visible = true, once.position = store.next_position - 1,
    once.committed_at = $at, once.read = $read, once.loaded = $loaded, once.known = $known,
    once.conflicts = $conflicts, once.quarantined = $quarantined, once.latest_at = $latest_at,
    once.has_revisions = $has_revisions, once.complete_at = $complete_at,
    once.end_seq = loader.next_seq, once.end_ix = loader.next_ix
)
RETURN batch.state AS state

// About: marks the database as a store that is being restored, or finds it marked.
// Parameters: id (text), format (integer), key_fingerprint (text)
// Rows: store (map of properties)
MERGE (store:Store {single: 1})
ON CREATE SET store.id = $id, store.format = $format, store.key_fingerprint = $key_fingerprint,
  store.ready = false, store.restoring = true
MERGE (loader:Loader {single: 1})
ON CREATE SET loader.fence = 0, loader.next_seq = 0, loader.next_ix = 0
RETURN store {.*} AS store

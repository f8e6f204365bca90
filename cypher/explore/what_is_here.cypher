// About: the kinds of fact in this store: how many loads and rows of each, up to which time.
// Parameters: none
// Rows: kind (text), loads (integer), facts (integer: rows loaded, corrections included),
//  latest_at (text), last_load (integer: its batch)
MATCH (load:Batch {visible: true})
RETURN load.kind AS kind, count(*) AS loads, sum(load.loaded) AS facts,
  max(load.latest_at) AS latest_at, max(load.batch) AS last_load
ORDER BY kind
LIMIT 20

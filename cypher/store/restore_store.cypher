// About: what is fixed for a store that is being restored, and the numbers it gave so far.
// Parameters: store (map of properties), next_seq (integer), next_ix (integer)
// Rows: none
MATCH (store:Store {single: 1})
SET store += $store
WITH store
MATCH (loader:Loader {single: 1})
SET loader.next_seq = $next_seq, loader.next_ix = $next_ix

// About: makes a lease that is not there yet. The loader's is made with the store.
// Parameters: right (integer: 2 to refresh)
// Rows: none
MERGE (loader:Loader {single: $right})
ON CREATE SET loader.fence = 0, loader.next_seq = 0, loader.next_ix = 0

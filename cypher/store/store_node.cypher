// About: what `store init` fixed.
// Parameters: none
// Rows: store (map of properties)
MATCH (store:Store {single: 1})
RETURN store {.*} AS store

// About: records that the schema of an imported store is made.
// Parameters: none
// Rows: none
MATCH (store:Store {single: 1})
SET store.ready = true

// About: the last step of a restore or an import: the store is one from here on.
// Parameters: none
// Rows: none
MATCH (store:Store {single: 1})
SET store.ready = true
REMOVE store.restoring

// About: where the facts and the account numbers end.
// Parameters: none
// Rows: next_seq (integer), next_ix (integer)
MATCH (loader:Loader {single: 1})
RETURN loader.next_seq AS next_seq, loader.next_ix AS next_ix

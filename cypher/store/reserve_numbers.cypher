// About: account numbers that are given to nobody else, ever.
// Parameters: count (integer)
// Rows: first (integer)
MATCH (loader:Loader {single: 1})
SET loader.next_ix = loader.next_ix + $count
RETURN loader.next_ix - $count AS first

// About: gives the lease back.
// Parameters: right (integer: 1 to write facts, 2 to refresh), fence (integer)
// Rows: none
MATCH (loader:Loader {single: $right})
SET loader.asked = null
WITH loader
WHERE loader.fence = $fence
SET loader.until = null

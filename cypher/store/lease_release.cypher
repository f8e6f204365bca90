// About: gives the lease back.
// Parameters: fence (integer)
// Rows: none
MATCH (loader:Loader {single: 1})
SET loader.asked = null
WITH loader
WHERE loader.fence = $fence
SET loader.until = null

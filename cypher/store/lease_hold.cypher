// About: beats, and holds every other loader off until the transaction ends. The lock comes
//  first (SET), then the look at the fence.
// Parameters: right (integer: 1 to write facts, 2 to refresh), fence (integer), seconds (integer: until the lease lapses)
// Rows: fence (integer): none where another loader has taken over
MATCH (loader:Loader {single: $right})
SET loader.until = datetime() + duration({seconds: $seconds})
WITH loader
WHERE loader.fence = $fence
RETURN loader.fence AS fence

// About: begins to save a run, unless it is saved already; as a draft nobody sees it.
// Parameters: run (text: its id), seconds (integer: until it counts as dead unless more follows)
// Rows: begun (boolean: true): none where the run is saved already
OPTIONAL MATCH (saved:Run {id: $run})
WITH saved
WHERE saved IS NULL
CREATE (:Draft {key: $run, run: $run, until: datetime() + duration({seconds: $seconds})})
RETURN true AS begun

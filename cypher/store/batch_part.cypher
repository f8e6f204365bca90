// About: begins the next part of an open load; tells whether it is there already (when the answer
//  to an earlier attempt was lost).
// Parameters: batch (integer), part (integer, from 0), next_seq (integer: after the part)
// Rows: done (boolean): none where the load is not open
MATCH (batch:Batch {batch: $batch})
USING INDEX batch:Batch(batch)
WHERE batch.state = 'open'
MATCH (loader:Loader {single: 1})
WITH batch, loader, batch.parts > $part AS done
SET batch.parts = CASE WHEN done THEN batch.parts ELSE $part + 1 END,
  loader.next_seq = CASE WHEN done THEN loader.next_seq ELSE $next_seq END
RETURN done

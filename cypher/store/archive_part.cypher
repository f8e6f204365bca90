// About: begins the next part of a month that comes back; tells whether it is there already (when the
//  answer to an earlier attempt was lost).
// Parameters: name (text), part (integer, from 0), next_seq (integer: after the part)
// Rows: done (boolean)
MATCH (archive:Archive {kept: $name})
SET archive.locked = true
WITH archive
MATCH (loader:Loader {single: 1})
WITH archive, loader, archive.parts > $part AS done
SET archive.parts = CASE WHEN done THEN archive.parts ELSE $part + 1 END,
  loader.next_seq = CASE WHEN done THEN loader.next_seq ELSE $next_seq END
REMOVE archive.locked
RETURN done

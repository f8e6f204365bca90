// About: how many events a subject has.
// Parameters: subject (text)
// Rows: version (integer)
OPTIONAL MATCH (event:Event {subject: $subject})
RETURN coalesce(max(event.version), 0) AS version

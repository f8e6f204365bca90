// About: the archived months of a store that is being restored, with all that is known of them.
// Parameters: name (text), shown (map of properties)
// Rows: none
MATCH (archive:Archive {kept: $name})
SET archive += $shown

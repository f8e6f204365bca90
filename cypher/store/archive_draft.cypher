// About: a month that is being archived: what is kept of it is added first.
// Parameters: name (text)
// Rows: none
MERGE (archive:Archive {kept: $name})
ON CREATE SET archive.state = 'draft'

// About: what is kept of months that are back, or were never archived.
// Parameters: none
// Rows: name (text)
MATCH (archive:Archive)
WHERE archive.state IN ['draft', 'back']
RETURN archive.kept AS name

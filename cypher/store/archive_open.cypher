// About: months that are not whole in the archive, or not whole back.
// Parameters: none
// Rows: name (text)
MATCH (archive:Archive)
WHERE archive.state <> 'settled'
RETURN archive.kept AS name

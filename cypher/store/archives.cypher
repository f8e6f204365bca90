// About: the months that are in the archive and not here, in the order in which they went.
// Parameters: none
// Rows: archive (map of properties)
MATCH (archive:Archive)
WHERE archive.state IN ['unsettled', 'settled']
WITH archive ORDER BY archive.position
RETURN archive {.*} AS archive

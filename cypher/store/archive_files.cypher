// About: the files that are kept of an archived month.
// Parameters: name (text: of the month)
// Rows: file (text)
MATCH (archive:Archive {kept: $name})
WITH archive LIMIT 1
MATCH (archive)-[keeps:KEEPS {part: 0}]->(:Kept)
RETURN keeps.file AS file ORDER BY file

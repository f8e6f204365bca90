// About: the personal words that are there of the events of a subject.
// Parameters: subject (text)
// Rows: number (integer), salt, text (text)
MATCH (event:Event)
USING INDEX event:Event(subject, version)
WHERE event.subject = $subject AND event.version > 0
MATCH (event)-[:SAID]->(words:Words)
RETURN words.number AS number, words.salt AS salt, words.text AS text
ORDER BY number

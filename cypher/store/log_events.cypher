// About: events of the review log in their order, of all subjects.
// Parameters: after (integer: their numbers are higher), most (integer: how many at most)
// Rows: event (map: as log_append takes it)
MATCH (event:Event)
WHERE event.number > $after
RETURN properties(event) AS event
ORDER BY event.number
LIMIT $most

// About: events of the review log in their order, of one subject.
// Parameters: subject (text), after (integer: their numbers are higher), most (integer: how many at most)
// Rows: event (map: as log_append takes it)
MATCH (event:Event {subject: $subject})
WHERE event.number > $after
RETURN properties(event) AS event
ORDER BY event.number
LIMIT $most

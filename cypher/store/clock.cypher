// About: the server's clock.
// Parameters: none
// Rows: now (text: ISO 8601, UTC)
RETURN toString(datetime.realtime('Z')) AS now

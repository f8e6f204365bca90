// About: the end of the review log.
// Parameters: none
// Rows: number (integer), digest, at (text): no row before the first event
MATCH (log:Log {single: 1})
WHERE log.number > 0
RETURN log.number AS number, log.digest AS digest, log.at AS at

// About: the end of the review log, held until the transaction ends: who writes to it goes one by one.
// Parameters: none
// Rows: number (integer), digest, at (text), by_machine (boolean: whether any event has its time from the
//  machine), sorts (list of text: the sorts of events that there are): no row before the first event
MERGE (log:Log {single: 1})
SET log.asked = coalesce(log.asked, 0) + 1
WITH log
WHERE log.number > 0
RETURN log.number AS number, log.digest AS digest, log.at AS at,
  coalesce(log.by_machine, false) AS by_machine, coalesce(log.sorts, []) AS sorts

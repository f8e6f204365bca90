// About: the sorts of events that the review log has.
// Parameters: none
// Rows: sorts (list of text): no row before the first event
MATCH (log:Log {single: 1})
WHERE log.number > 0
RETURN coalesce(log.sorts, []) AS sorts

// About: takes away a view of the review log, and the case that is drawn of it.
// Parameters: kind, key (text)
// Rows: none
MATCH (view:View {kind: $kind, key: $key})
DETACH DELETE view

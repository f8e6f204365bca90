// About: sets a view of the review log.
// Parameters: kind, key, doc (text: JSON)
// Rows: none
MERGE (view:View {kind: $kind, key: $key})
SET view.doc = $doc

// About: a view of the review log.
// Parameters: kind, key (text)
// Rows: doc (text: JSON): no row where there is none
MATCH (view:View {kind: $kind, key: $key})
RETURN view.doc AS doc

// About: all views of the review log of a kind, packed.
// Parameters: kind (text)
// Rows: keys, docs (list of text), in the order of the keys
MATCH (view:View {kind: $kind})
WITH view ORDER BY view.key
RETURN collect(view.key) AS keys, collect(view.doc) AS docs

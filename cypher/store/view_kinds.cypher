// About: the kinds of which the review log has views: looks at every one of them.
// Parameters: none
// Rows: kind (text)
MATCH (view:View)
RETURN DISTINCT view.kind AS kind
ORDER BY kind

// About: finds all views of the review log of a kind
// Parameters: none
// Rows: none
CREATE INDEX view_kind IF NOT EXISTS
FOR (view:View) ON (view.kind)

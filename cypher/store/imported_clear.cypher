// About: removes the texts of an import, once they are made batches and runs; looks at every one of
//  them, which are few.
// Parameters: none
// Rows: none
MATCH (piece:Imported)
DELETE piece

// About: removes the texts of an import, once they are made batches and runs.
// Parameters: none
// Rows: none
MATCH (piece:Imported)
DELETE piece

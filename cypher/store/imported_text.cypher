// About: what an import brought beside accounts and facts, as texts in pieces; looks at every piece:
//  there are few, and only until the import is finished.
// Parameters: number (integer: 0 for the record, then a saved run each)
// Rows: text (text)
MATCH (piece:Imported {number: $number})
WITH piece ORDER BY piece.place
RETURN piece.text AS text

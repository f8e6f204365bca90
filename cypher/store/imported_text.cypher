// About: what an import brought beside accounts and facts, as texts in pieces.
// Parameters: number (integer: 0 for the record, then a saved run each)
// Rows: text (text)
MATCH (piece:Imported {number: $number})
WITH piece ORDER BY piece.place
RETURN piece.text AS text

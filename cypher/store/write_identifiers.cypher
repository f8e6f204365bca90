// About: makes sure that identifiers are there.
// Parameters: identifier_kind (list of text), digest (list of text): each pair once, no nulls
// Rows: none
UNWIND range(0, size($digest) - 1) AS i
MERGE (:Identifier {identifier_kind: $identifier_kind[i], digest: $digest[i]})

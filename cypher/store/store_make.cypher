// About: makes the store: one node for what is fixed, one for the loader.
// Parameters: id, created, holdings_rule, key_fingerprint (text), format (integer), masked (boolean),
//  issuers (list of text)
// Rows: none
CREATE (:Store {
  single: 1, id: $id, format: $format, created: $created, masked: $masked,
  holdings_rule: $holdings_rule, issuers: $issuers, key_fingerprint: $key_fingerprint,
  next_batch: 1, next_position: 1, ready: true
})
CREATE (:Loader {single: 1, fence: 0, next_seq: 0, next_ix: 0})

// Package layout defines what the store keeps in etcd: the keys, the stored forms of
// their values, and the rules that hold between them.
//
//	/runtimes/<game>                          record, JSON            record_codec.go
//	/runtimes-by-status/<status>/<game>       container id            index_rules.go
//	/transitions/<game>/<slot>                ledger entry, JSON      ledger_codec.go
//	/operations/<game>                        intent, JSON            intent_codec.go
//	/operations-by-node/<region>/<node>/<game>  empty                 index_rules.go
//	/operations-by-id/<operation>/<game>      empty                   index_rules.go
//	/meta/schema                              layout version, store id  schema.go
//	/meta/deletion-epochs/<bucket>            empty                   keys.go
//	/secrets/game.<game>                      deleted with the game; package etcdsecrets writes it
//
// Records and ledger entries in the form that this version writes are encoded by
// record_encoder.go and decoded by record_canonical.go, without reflection, and all others by the
// JSON package. record_decoder.go decodes records that are kept. game_keys.go makes the keys of one
// game's write.
//
// At every revision each record has exactly one status index key, under its own status
// and with its own container id as the value, and no other status index key exists. The
// ledger entry numbered as the record's last write describes how the record came to be. Each
// operation in progress has exactly one key in the index of operations. Each key of the
// index of operation ids names an operation of the game's intent; the operations that an earlier
// version has started have none. The revision of a
// deletion epoch is not older than the latest deletion of any game of its bucket, except of
// deletions at etcd's space quota.
//
// Values of records and intents keep members that this version does not know: they are
// decoded into Unknown and written back unchanged. A value that cannot be decoded is a
// *runtime.CorruptError that names its key; it is never overwritten.
//
// Everything here is pure: nothing in this package sends a request.
package layout

package ports

// Store combines the ports of a record store, for a caller that serves the whole store
// or tests it.
type Store interface {
	RuntimeRecordStore
	RuntimeWriter
	RuntimeReader
	RuntimeLedger
	RuntimeWatcher
	StoreInspector
}

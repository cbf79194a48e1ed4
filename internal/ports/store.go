package ports

// Store is every port of one store at once, for who serves it whole or proves
// that it keeps its contracts.
type Store interface {
	RuntimeRecordStore
	RuntimeWriter
	RuntimeReader
	RuntimeLedger
	RuntimeWatcher
	StoreInspector
}

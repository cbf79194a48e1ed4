package storetest

import "galaxy/rtmanager/internal/ports"

// Store combines the ports of a record store, as the suite tests them.
type Store interface {
	ports.RuntimeRecordStore
	ports.RuntimeWriter
	ports.RuntimeDeleter
	ports.RuntimeReader
	ports.RuntimeLedger
	ports.RuntimeWatcher
	ports.StoreInspector
}

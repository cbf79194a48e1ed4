package ports

import "context"

// StoreIdentity names the store. It is safe for concurrent use.
type StoreIdentity interface {
	// ID returns the identity of the store, which Info also returns, without a request to
	// the store. It never changes while the process runs.
	ID() string
}

// StoreInspector describes the store and verifies its consistency. It is safe for
// concurrent use; all methods end when ctx ends.
type StoreInspector interface {
	// Revision returns the store's current revision by a linearizable read. It is the
	// cheapest check that the store responds. It returns runtime.ErrUnavailable if the
	// store does not respond.
	Revision(ctx context.Context) (int64, error)

	// Info returns the store's identity and state by a linearizable read. So it returns
	// runtime.ErrUnavailable whenever writes fail as well, for example without a majority
	// of the store's members.
	Info(ctx context.Context) (StoreInfo, error)

	// Check compares records, status index and ledger at one revision, and reads every other value. With repair, it
	// then repairs what it can. Each repair is a compare-and-swap at the revisions that
	// the check read. It never changes a record, and never overwrites an unreadable
	// value.
	Check(ctx context.Context, repair bool) (CheckReport, error)
}

// StoreInfo is the state of the store at one time.
type StoreInfo struct {
	// ID is the identity of the store, to which revisions belong; see WatchOptions.Store.
	ID       string
	Revision int64
	// SchemaVersion is the version of the key layout.
	SchemaVersion int
	Members       []StoreMember
	// Alarms are the alarms that the store has raised, as it names them.
	Alarms []string
}

// StoreMember is one member of the cluster that holds the store.
type StoreMember struct {
	ID         string
	Name       string
	ClientURLs []string
	Leader     bool
	Learner    bool
	// Version, DBBytes, DBBytesInUse and QuotaBytes are what the member itself
	// reported. If it did not respond, they are zero and Error is the reason.
	Version      string
	DBBytes      int64
	DBBytesInUse int64
	QuotaBytes   int64
	Error        string
}

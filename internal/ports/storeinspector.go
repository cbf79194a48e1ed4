package ports

import "context"

// StoreInspector tells what the store is and proves that it keeps its rules.
type StoreInspector interface {
	// Revision returns the store's present revision by a linearizable read. It is
	// the cheapest proof that the store answers.
	Revision(ctx context.Context) (int64, error)

	// Info returns the store's identity and state by a linearizable read, so it
	// fails with runtime.ErrUnavailable when the store cannot be written either.
	Info(ctx context.Context) (StoreInfo, error)

	// Check compares records, index and ledger at one revision. With repair it
	// then mends what can be mended, each by a compare-and-swap pinned to what
	// was seen; a record is never changed, and a value that cannot be read never
	// rewritten.
	Check(ctx context.Context, repair bool) (CheckReport, error)
}

// StoreInfo describes the store as of one moment.
type StoreInfo struct {
	// ID is the identity that a revision belongs to; see WatchOptions.Store.
	ID       string
	Revision int64
	// SchemaVersion is the version of the layout of the keys.
	SchemaVersion int
	Members       []StoreMember
	// Alarms are those the store has raised, in its own words.
	Alarms []string
}

// StoreMember is one member of the cluster that keeps the store.
type StoreMember struct {
	ID         string
	Name       string
	ClientURLs []string
	Leader     bool
	Learner    bool
	// Version, DBBytes, DBBytesInUse and QuotaBytes are what the member itself
	// answered; where it did not, they are zero and Error says why.
	Version      string
	DBBytes      int64
	DBBytesInUse int64
	QuotaBytes   int64
	Error        string
}

// CheckFindingKind names one way in which a store can break its rules.
type CheckFindingKind string

// The kinds of finding.
const (
	FindingRecordUnreadable CheckFindingKind = "record_unreadable"
	FindingKeyForeign       CheckFindingKind = "key_foreign"
	FindingIndexMissing     CheckFindingKind = "index_missing"
	FindingIndexExtra       CheckFindingKind = "index_extra"
	FindingIndexValue       CheckFindingKind = "index_value"
	FindingLedgerMissing    CheckFindingKind = "ledger_missing"
	FindingLedgerMismatch   CheckFindingKind = "ledger_mismatch"
	FindingLedgerUnreadable CheckFindingKind = "ledger_unreadable"
	FindingIntentUnreadable CheckFindingKind = "intent_unreadable"
)

// CheckFinding is one broken rule, with the key that breaks it.
type CheckFinding struct {
	Kind   CheckFindingKind
	Key    string
	GameID string // empty where the key does not tell
	Detail string
	// Repair says what a repair would do, empty where only a person can decide.
	Repair string
	// Repaired reports that it was done.
	Repaired bool
	// RepairError says why a repair that was asked for did not happen.
	RepairError string
}

// CheckReport is what Check found.
type CheckReport struct {
	Revision      int64
	Records       int
	IndexKeys     int
	LedgerEntries int
	Findings      []CheckFinding
}

// Clean reports that nothing is left to mend.
func (r CheckReport) Clean() bool {
	for _, f := range r.Findings {
		if !f.Repaired {
			return false
		}
	}
	return true
}

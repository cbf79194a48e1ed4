package ports

// CheckReport is the result of StoreInspector.Check.
type CheckReport struct {
	// Revision is the revision of the check.
	Revision int64
	// Records, IndexKeys and LedgerEntries count the keys of each kind.
	Records       int
	IndexKeys     int
	LedgerEntries int
	Findings      []CheckFinding
}

// IsClean reports whether no finding remains unrepaired.
func (r CheckReport) IsClean() bool {
	for _, f := range r.Findings {
		if !f.Repaired {
			return false
		}
	}
	return true
}

// CheckFinding is one violation of the store's invariants.
type CheckFinding struct {
	Kind CheckFindingKind
	// Key is the full key that violates the invariant.
	Key string
	// GameID is empty if the key does not name a game.
	GameID string
	Detail string
	// Repair describes what a repair does. It is empty if only an operator can decide.
	Repair string
	// Repaired reports whether the repair was done.
	Repaired bool
	// RepairError is why a requested repair was not done.
	RepairError string
}

// CheckFindingKind is the kind of a violation.
type CheckFindingKind string

// The kinds of finding.
const (
	FindingRecordUnreadable CheckFindingKind = "record_unreadable"
	FindingKeyForeign       CheckFindingKind = "key_foreign"
	FindingIndexMissing     CheckFindingKind = "index_missing"
	FindingIndexExtra       CheckFindingKind = "index_extra"
	FindingIndexValue       CheckFindingKind = "index_value"
	FindingLedgerExtra      CheckFindingKind = "ledger_extra"
	FindingLedgerMissing    CheckFindingKind = "ledger_missing"
	FindingLedgerMismatch   CheckFindingKind = "ledger_mismatch"
	FindingLedgerUnreadable CheckFindingKind = "ledger_unreadable"
	FindingIntentUnreadable CheckFindingKind = "intent_unreadable"
	FindingValueUnreadable  CheckFindingKind = "value_unreadable"
)

package api

import "galaxy/rtmanager/internal/ports"

// Check is the result of a consistency check of the store.
type Check struct {
	Revision      int64          `json:"revision" doc:"The revision that was checked"`
	Clean         bool           `json:"clean" doc:"Whether no violation remains"`
	Records       int            `json:"records" doc:"Number of records"`
	IndexKeys     int            `json:"index_keys" doc:"Number of keys of the status index"`
	LedgerEntries int            `json:"ledger_entries" doc:"Number of entries of all ledgers"`
	Findings      []CheckFinding `json:"findings" nullable:"false" doc:"Each violation; empty in a consistent store"`
}

// CheckFinding is one violation of the store's invariants.
type CheckFinding struct {
	Kind        ports.CheckFindingKind `json:"kind" doc:"The invariant that is violated"`
	Key         string                 `json:"key" doc:"The key that violates it"`
	GameID      string                 `json:"game_id,omitempty" doc:"The game, if the key contains it"`
	Detail      string                 `json:"detail" doc:"A description of the violation"`
	Repair      string                 `json:"repair,omitempty" doc:"The repair; absent if only an operator can repair it"`
	Repaired    bool                   `json:"repaired" doc:"Whether the repair was done"`
	RepairError string                 `json:"repair_error,omitempty" doc:"Why a requested repair was not done"`
}

// CheckFrom converts the report of a store.
func CheckFrom(r ports.CheckReport) Check {
	c := Check{
		Revision: r.Revision, Clean: r.IsClean(), Records: r.Records, IndexKeys: r.IndexKeys,
		LedgerEntries: r.LedgerEntries, Findings: make([]CheckFinding, len(r.Findings)),
	}
	for i, f := range r.Findings {
		c.Findings[i] = CheckFinding{
			Kind: f.Kind, Key: f.Key, GameID: f.GameID, Detail: f.Detail,
			Repair: f.Repair, Repaired: f.Repaired, RepairError: f.RepairError,
		}
	}
	return c
}

// Report is the inverse of CheckFrom.
func (c Check) Report() ports.CheckReport {
	r := ports.CheckReport{
		Revision: c.Revision, Records: c.Records, IndexKeys: c.IndexKeys, LedgerEntries: c.LedgerEntries,
	}
	for _, f := range c.Findings {
		r.Findings = append(r.Findings, ports.CheckFinding{
			Kind: f.Kind, Key: f.Key, GameID: f.GameID, Detail: f.Detail,
			Repair: f.Repair, Repaired: f.Repaired, RepairError: f.RepairError,
		})
	}
	return r
}

package api

import "galaxy/rtmanager/internal/ports"

// Check is what a check of the store's rules found.
type Check struct {
	Revision      int64          `json:"revision" doc:"The revision that was checked"`
	Clean         bool           `json:"clean" doc:"Whether nothing is left to mend"`
	Records       int            `json:"records"`
	IndexKeys     int            `json:"index_keys"`
	LedgerEntries int            `json:"ledger_entries"`
	Findings      []CheckFinding `json:"findings" nullable:"false" doc:"Each broken rule; empty in a sound store"`
}

// CheckFinding is one broken rule.
type CheckFinding struct {
	Kind        string `json:"kind" doc:"Which rule"`
	Key         string `json:"key" doc:"The key that breaks it"`
	GameID      string `json:"game_id,omitempty" doc:"The game, where the key tells"`
	Detail      string `json:"detail"`
	Repair      string `json:"repair,omitempty" doc:"What a repair would do; absent where only a person can decide"`
	Repaired    bool   `json:"repaired" doc:"Whether it was done"`
	RepairError string `json:"repair_error,omitempty" doc:"Why a repair that was asked for did not happen"`
}

// CheckFrom returns the report as the API tells it.
func CheckFrom(r ports.CheckReport) Check {
	c := Check{
		Revision: r.Revision, Clean: r.Clean(), Records: r.Records, IndexKeys: r.IndexKeys,
		LedgerEntries: r.LedgerEntries, Findings: make([]CheckFinding, len(r.Findings)),
	}
	for i, f := range r.Findings {
		c.Findings[i] = CheckFinding{
			Kind: string(f.Kind), Key: f.Key, GameID: f.GameID, Detail: f.Detail,
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
			Kind: ports.CheckFindingKind(f.Kind), Key: f.Key, GameID: f.GameID, Detail: f.Detail,
			Repair: f.Repair, Repaired: f.Repaired, RepairError: f.RepairError,
		})
	}
	return r
}

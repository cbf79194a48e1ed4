package report

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"galaxy/rtmanager/internal/testkit/chaos/check"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// FaultKind are the faults of one kind, and how long after their repair calls succeeded.
type FaultKind struct {
	Kind   string `json:"kind"`
	Count  int    `json:"count"`
	Failed int    `json:"failed"` // that could not be injected or repaired
	// MedianSeconds and WorstSeconds are how long the faults lasted.
	MedianSeconds float64 `json:"median_seconds"`
	WorstSeconds  float64 `json:"worst_seconds"`
	// Recovery is the recovery of each kind of call, over all nodes.
	Recovery map[check.CallKind]Recovery `json:"recovery"`
}

// Recovery is how long after the repair of faults the first call that started then returned with success.
type Recovery struct {
	Count         int     `json:"count"`
	MedianSeconds float64 `json:"median_seconds"`
	WorstSeconds  float64 `json:"worst_seconds"`
	// Without is the number of faults and nodes after which no call succeeded any more, such as
	// after faults at the end of a run.
	Without int `json:"without"`
}

// Recoveries are the durations from which a FaultKind results, in nanoseconds.
type Recoveries struct {
	Failed  int                                `json:"failed,omitempty"`
	Lasted  []time.Duration                    `json:"lasted"`
	After   map[check.CallKind][]time.Duration `json:"after"`
	Without map[check.CallKind]int             `json:"without"`
}

func newRecoveries() *Recoveries {
	return &Recoveries{After: map[check.CallKind][]time.Duration{}, Without: map[check.CallKind]int{}}
}

// recoveriesOf returns the recoveries of a run by kind of fault.
func recoveriesOf(r *recording.Recording, report check.Report) map[string]*Recoveries {
	byKind := map[string]*Recoveries{}
	for _, fault := range r.Faults {
		one := byKind[fault.Kind]
		if one == nil {
			one = newRecoveries()
			byKind[fault.Kind] = one
		}
		if one.Lasted = append(one.Lasted, time.Duration(fault.Repaired-fault.Started)); fault.Error != "" {
			one.Failed++
		}
	}
	for _, found := range report.Stats.Recoveries {
		one := byKind[found.Kind]
		switch {
		case one == nil: // not a fault of the recording
		case found.After < 0:
			one.Without[found.Calls]++
		default:
			one.After[found.Calls] = append(one.After[found.Calls], time.Duration(found.After))
		}
	}
	return byKind
}

// merge adds the recoveries of a run.
func (r *Recoveries) merge(other *Recoveries) {
	r.Failed += other.Failed
	r.Lasted = append(r.Lasted, other.Lasted...)
	for kind, all := range other.After {
		r.After[kind] = append(r.After[kind], all...)
	}
	for kind, count := range other.Without {
		r.Without[kind] += count
	}
}

// faultKinds returns the figures of recoveries, ordered by the kind of the fault.
func faultKinds(byKind map[string]*Recoveries) []FaultKind {
	all := []FaultKind{}
	for kind, r := range byKind {
		lasted := latenciesOf(slices.Clone(r.Lasted))
		one := FaultKind{Kind: kind, Count: lasted.count, Failed: r.Failed, MedianSeconds: lasted.median.Seconds(), WorstSeconds: lasted.worst.Seconds(), Recovery: map[check.CallKind]Recovery{}}
		for _, calls := range kinds {
			after := latenciesOf(slices.Clone(r.After[calls]))
			if after.count+r.Without[calls] > 0 {
				one.Recovery[calls] = Recovery{after.count, after.median.Seconds(), after.worst.Seconds(), r.Without[calls]}
			}
		}
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b FaultKind) int { return cmp.Compare(a.Kind, b.Kind) })
	return all
}

// faultRow is a FaultKind for display.
type faultRow struct {
	FaultKind
	Lasted, LongestLasted string
	Cells                 []recoveryCell // one for each kind of call
}

type recoveryCell struct {
	Median, Worst string // empty without a recovery
	Without       int
	IsLong        bool
}

// longRecovery is the recovery from which on a table marks it.
const longRecovery = 10 * time.Second

func rowsOf(all []FaultKind) (rows []faultRow) {
	for _, one := range all {
		row := faultRow{FaultKind: one, Lasted: formatFloat(one.MedianSeconds), LongestLasted: formatFloat(one.WorstSeconds)}
		for _, kind := range kinds {
			found := one.Recovery[kind]
			cell := recoveryCell{Without: found.Without}
			if found.Count > 0 {
				cell.Median, cell.Worst = formatFloat(found.MedianSeconds), formatFloat(found.WorstSeconds)
				cell.IsLong = found.WorstSeconds >= longRecovery.Seconds()
			}
			row.Cells = append(row.Cells, cell)
		}
		rows = append(rows, row)
	}
	return rows
}

func formatFloat(seconds float64) string {
	return formatDuration(time.Duration(seconds * float64(time.Second)))
}

// Title returns what a cell of a table means.
func (c recoveryCell) Title() string {
	if c.Without == 0 {
		return ""
	}
	return fmt.Sprintf("%d times no call succeeded after the repair, such as at the end of the run", c.Without)
}

package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// Run are the figures of one run.
type Run struct {
	Name    string  `json:"name"` // of its directory
	Seed    uint64  `json:"seed"`
	Layout  string  `json:"layout"`
	Version string  `json:"version,omitempty"`
	Planted string  `json:"planted,omitempty"`
	Started string  `json:"started"`
	Seconds float64 `json:"seconds"` // of traffic
	Calls   int     `json:"calls"`
	Unknown int     `json:"unknown"` // calls of unknown outcome
	Faults  int     `json:"faults"`  // that were injected
	// FailedFaults could not be injected or repaired, or had nothing to disturb. They are no part of Faults.
	FailedFaults int `json:"failed_faults"`
	// Violations are all violations by rule, also those that a report does not list.
	Violations map[string]int `json:"violations"`
	Summaries  []string       `json:"summaries"`      // of the violations
	Void       string         `json:"void,omitempty"` // why the run proves nothing
	// Skipped are the rules that were not checked, because the changes of etcd were not recorded.
	Skipped []string `json:"skipped,omitempty"`

	// Recoveries are those after the faults of each kind.
	Recoveries map[string]*Recoveries `json:"recoveries,omitempty"`

	hasPage bool // in the directory of the summary
}

// Summary are the figures of many runs.
type Summary struct {
	Runs    []Run   `json:"runs"` // in the order of their starts
	Seconds float64 `json:"seconds"`
	Calls   int     `json:"calls"`
	Unknown int     `json:"unknown"`
	Faults  int     `json:"faults"`
	// FailedFaults are no part of Faults.
	FailedFaults int         `json:"failed_faults"`
	Violations   int         `json:"violations"`
	Void         int         `json:"void"` // runs that prove nothing
	FaultKinds   []FaultKind `json:"fault_kinds"`
}

// NewRun returns the figures of a run whose recording is in a directory of the name.
func NewRun(name string, in Input) Run {
	described, stats := in.Recording.Run, in.Check.Stats
	run := Run{
		Name: name, Seed: described.Seed, Layout: described.Layout, Version: described.Version, Planted: described.Planted, Started: described.Started,
		Seconds: time.Duration(described.Duration).Seconds(), Calls: len(in.Recording.Calls), Faults: stats.InjectedFaults(), FailedFaults: stats.FailedFaults,
		Violations: map[string]int{}, Summaries: []string{}, Skipped: in.Check.Skipped, Recoveries: recoveriesOf(in.Recording, in.Check),
	}
	for _, call := range in.Recording.Calls {
		if call.Outcome == recording.Unknown {
			run.Unknown++
		}
	}
	for rule, count := range stats.Broken {
		if count > 0 {
			run.Violations[rule] = count
		}
	}
	for _, v := range in.Check.Violations {
		run.Summaries = append(run.Summaries, v.Rule+": "+v.Summary)
	}
	if in.Void != nil {
		run.Void = in.Void.Error()
	}
	return run
}

// Broken returns the number of violations.
func (r Run) Broken() (total int) {
	for _, count := range r.Violations {
		total += count
	}
	return total
}

// Result returns the class of the run: "broken", "void" or "right".
func (r Run) Result() string {
	switch {
	case r.Broken() > 0:
		return "broken"
	case r.Void != "":
		return "void"
	default:
		return "right"
	}
}

// Length returns the duration of traffic for display.
func (r Run) Length() string { return formatFloat(r.Seconds) }

// Link returns the address of the page of the run, from the directory of the summary. It is empty if
// the directory does not have the page, such as after the recording was removed.
func (r Run) Link() string {
	if !r.hasPage {
		return ""
	}
	return filepath.ToSlash(filepath.Join(r.Name, PageFile))
}

// Summarize returns the figures of runs.
func Summarize(runs []Run) Summary {
	s := Summary{Runs: slices.Clone(runs)}
	slices.SortStableFunc(s.Runs, func(a, b Run) int { return cmp.Or(cmp.Compare(a.Started, b.Started), cmp.Compare(a.Name, b.Name)) })
	byKind := map[string]*Recoveries{}
	for _, run := range s.Runs {
		s.Seconds += run.Seconds
		s.Calls += run.Calls
		s.Unknown += run.Unknown
		s.Faults += run.Faults
		s.FailedFaults += run.FailedFaults
		if s.Violations += run.Broken(); run.Result() == "void" {
			s.Void++
		}
		for kind, one := range run.Recoveries {
			if byKind[kind] == nil {
				byKind[kind] = newRecoveries()
			}
			byKind[kind].merge(one)
		}
	}
	s.FaultKinds = faultKinds(byKind)
	return s
}

// Result returns the class of all runs, as that of one run.
func (s Summary) Result() string {
	switch {
	case s.Violations > 0:
		return "broken"
	case s.Void > 0:
		return "void"
	default:
		return "right"
	}
}

// Headline returns the result for display.
func (s Summary) Headline() string {
	text := plural(len(s.Runs), "run") + ", " + plural(s.Violations, "violation")
	if s.Void > 0 {
		text += fmt.Sprintf(", %d void", s.Void)
	}
	return text
}

// plural returns a number with its noun.
func plural(count int, noun string) string {
	if count != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", count, noun)
}

// Length returns the duration of all traffic for display.
func (s Summary) Length() string { return formatFloat(s.Seconds) }

// WriteFiles writes the summary into the directory, as SummaryPageFile and SummaryFile. The page
// links to the pages of runs that the directory has.
func (s Summary) WriteFiles(dir string) error {
	s.Runs = slices.Clone(s.Runs)
	for i := range s.Runs {
		_, err := os.Stat(filepath.Join(dir, s.Runs[i].Name, PageFile))
		s.Runs[i].hasPage = err == nil
		s.Runs[i].Recoveries = nil // fault_kinds has their figures
	}
	content, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("write the summary: %w", err)
	}
	if err := writeFile(filepath.Join(dir, SummaryFile), func(w io.Writer) error {
		_, err := w.Write(append(content, '\n'))
		return err
	}); err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, SummaryPageFile), s.Write)
}

// Write writes the page of the summary.
func (s Summary) Write(w io.Writer) error {
	data := map[string]any{"Summary": s, "Faults": rowsOf(s.FaultKinds), "Kinds": kinds}
	if err := templates.ExecuteTemplate(w, "summary.html", data); err != nil {
		return fmt.Errorf("write the summary: %w", err)
	}
	return nil
}

package regions_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"galaxy/rtmanager/internal/testkit/regions"
)

// source is a kind of request from one region.
type source struct {
	region string
	kind   kind
}

// faultStats measures the availability during one fault after another. It is safe for
// concurrent use.
type faultStats struct {
	mu       sync.Mutex
	latest   map[source]time.Time // the latest success, or the start of the fault
	repaired time.Time            // zero while the fault lasts
	gaps     map[source]time.Duration
	recovery map[source]time.Duration
	failures map[string]int
	rows     strings.Builder
}

func newFaultStats() *faultStats { s := &faultStats{}; s.start(); return s }

// start starts the measurement of a fault.
func (s *faultStats) start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.latest, s.repaired = map[source]time.Time{}, time.Time{}
	s.gaps, s.recovery, s.failures = map[source]time.Duration{}, map[source]time.Duration{}, map[string]int{}
	for _, region := range regions.Names() {
		for _, k := range kinds() {
			s.latest[source{region, k}] = time.Now()
		}
	}
}

// repair notes that the fault has ended.
func (s *faultStats) repair() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.repaired = time.Now()
	for from, latest := range s.latest {
		s.gaps[from] = max(s.gaps[from], s.repaired.Sub(latest))
	}
}

func (s *faultStats) succeed(region string, k kind) {
	s.mu.Lock()
	defer s.mu.Unlock()
	from, now := source{region, k}, time.Now()
	if s.repaired.IsZero() {
		s.gaps[from] = max(s.gaps[from], now.Sub(s.latest[from]))
		s.latest[from] = now
	} else if _, hasRecovered := s.recovery[from]; !hasRecovered {
		s.recovery[from] = now.Sub(s.repaired)
	}
}

func (s *faultStats) fail(region string, k kind, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures[fmt.Sprintf("%s %s: %s", region, k, reason)]++
}

// failuresOf returns the failures of a kind of request from the region since the start of the fault.
func (s *faultStats) failuresOf(region string, k kind) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var failures []string
	for failure := range s.failures {
		if strings.HasPrefix(failure, fmt.Sprintf("%s %s: ", region, k)) {
			failures = append(failures, failure)
		}
	}
	return failures
}

// outstanding returns the requests that have not succeeded since the end of the fault.
func (s *faultStats) outstanding() []source {
	s.mu.Lock()
	defer s.mu.Unlock()
	var outstanding []source
	for from := range s.latest {
		if _, hasRecovered := s.recovery[from]; !hasRecovered {
			outstanding = append(outstanding, from)
		}
	}
	return outstanding
}

// finish adds the fault to the table and returns its part.
func (s *faultStats) finish(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var part strings.Builder
	for i, k := range kinds() {
		title := ""
		if i == 0 {
			title = name
		}
		fmt.Fprintf(&part, "| %s | %s |", title, k)
		for _, region := range regions.Names() {
			from := source{region, k}
			fmt.Fprintf(&part, " %.1f s, %.1f s |", s.gaps[from].Seconds(), s.recovery[from].Seconds())
		}
		part.WriteString("\n")
	}
	for _, failure := range slices.Sorted(maps.Keys(s.failures)) {
		fmt.Fprintf(&part, "| | failures | %s | %d | |\n", failure, s.failures[failure])
	}
	s.rows.WriteString(part.String())
	return part.String()
}

// table returns the measurements of all faults as Markdown.
func (s *faultStats) table() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return "| fault | request | eu: longest time without success, recovery | us | ap |\n|---|---|---|---|---|\n" + s.rows.String()
}

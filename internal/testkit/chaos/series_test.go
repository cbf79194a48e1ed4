package chaos_test

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/testkit/chaos/report"
)

// series is the runs of a test. It is safe for concurrent use.
type series struct {
	settings

	deadline time.Time

	mu       sync.Mutex
	number   int          // of runs that were started
	hasEnded bool         // after a failure or a signal
	runs     []report.Run // that were made
}

// newSeries returns a series without runs. SIGINT or SIGTERM ends it after the runs in progress.
func newSeries(t *testing.T, settings settings) *series {
	t.Helper()
	s := &series{settings: settings, deadline: time.Now().Add(settings.total)}
	interrupted, stop := signal.NotifyContext(t.Context(), os.Interrupt, syscall.SIGTERM)
	t.Cleanup(stop)
	context.AfterFunc(interrupted, s.end)
	return s
}

// next returns the seed of the next run, and false if there is none.
func (s *series) next() (seed uint64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	isOver := s.number > 0 && time.Now().After(s.deadline)
	if s.maxRuns > 0 {
		isOver = s.number >= s.maxRuns
	}
	if isOver || s.hasEnded {
		return 0, false
	}
	s.number++
	return s.seed + uint64(s.number) - 1, true
}

// add adds a run that was made, and writes the summary of all.
func (s *series) add(t *testing.T, run report.Run) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runs = append(s.runs, run)
	_, err := report.AddRun(s.dir, run)
	require.NoError(t, err)
}

// end makes next return no more runs.
func (s *series) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hasEnded = true
}

// runClusters makes runs on one cluster after the other, each of the next layout, until there are no more.
// place is the first layout.
func (s *series) runClusters(t *testing.T, place int) {
	t.Helper()
	layouts := layouts(t.Context())
	for ; ; place++ {
		seed, ok := s.next()
		if !ok {
			return
		}
		layout := s.layout
		if layout == "" {
			layout = layouts[place%len(layouts)]
		}
		made := 0
		hasPassed := t.Run(layout, func(t *testing.T) { s.runCluster(t, layout, seed, &made) })
		if made == 0 || !hasPassed && s.maxRuns > 0 { // without a cluster, or with the violation to find
			s.end()
		}
	}
}

// runCluster starts a cluster and makes the run with the seed, and more runs until one fails. It counts them.
func (s *series) runCluster(t *testing.T, layout string, seed uint64, made *int) {
	t.Helper()
	env := newEnvironment(t, layout)
	for ok := true; ok; seed, ok = s.next() {
		s.add(t, makeRun(t, env, s.settings, seed))
		if *made++; *made == runsPerCluster || t.Failed() {
			return
		}
	}
}

// requireMeaningful requires that the runs have met enough to prove something.
func (s *series) requireMeaningful(t *testing.T) {
	t.Helper()
	require.NotEmpty(t, s.runs)
	calls, unknown, faults := 0, 0, 0
	for _, run := range s.runs {
		calls, unknown, faults = calls+run.Calls, unknown+run.Unknown, faults+run.Faults
	}
	require.GreaterOrEqual(t, calls, 100*len(s.runs), "void: too few calls")
	require.GreaterOrEqual(t, unknown, 5*len(s.runs), "void: too few calls of unknown outcome")
	require.GreaterOrEqual(t, faults, len(s.runs), "void: too few faults")
}

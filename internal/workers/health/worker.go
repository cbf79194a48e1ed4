// Package health asks the games of one node how they are, and tells of those that
// do not answer for it any more.
package health

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// Prober asks a game how it is.
type Prober interface {
	Probe(ctx context.Context, url string) error
}

// Config tunes a Worker. Region, Node and Notice are required; zero means the
// default named beside it.
type Config struct {
	Region, Node string
	// Interval is the time between two rounds. Default 5 s.
	Interval time.Duration
	// Failures is how many checks in a row a game has to fail to count as
	// unhealthy. Default 3.
	Failures int
	// Concurrency is how many games are asked at the same time. Default 16.
	Concurrency int
	// Notice is told of each game that has become unhealthy or well.
	Notice func(gameID string)
	Logger *slog.Logger
}

// Worker is the health worker of one node. It is safe for concurrent use.
type Worker struct {
	records ports.RuntimeReader
	intents ports.IntentStore
	prober  Prober
	cfg     Config

	known map[string]knownSpec // by game, for Pass alone

	mu     sync.Mutex
	states map[string]*state // by game
}

// state is how one run of a game has answered lately.
type state struct {
	containerID string
	startedAt   time.Time
	failures    int
	last        error // up to the one that made it unhealthy
}

// tellsOf reports whether the state is of the run that the record tells of.
func (s *state) tellsOf(record runtime.RuntimeRecord) bool {
	return s.containerID == record.CurrentContainerID && s.startedAt.Equal(startOf(record))
}

// startOf is when the record's run began; a record that somebody else wrote may lack that.
func startOf(record runtime.RuntimeRecord) time.Time {
	if record.StartedAt == nil {
		return time.Time{}
	}
	return *record.StartedAt
}

// New returns a worker, which asks nobody before Run or Pass is called.
func New(records ports.RuntimeReader, intents ports.IntentStore, prober Prober, cfg Config) *Worker {
	if cfg.Interval == 0 {
		cfg.Interval = 5 * time.Second
	}
	if cfg.Failures == 0 {
		cfg.Failures = 3
	}
	if cfg.Concurrency == 0 {
		cfg.Concurrency = 16
	}
	return &Worker{records: records, intents: intents, prober: prober, cfg: cfg, states: map[string]*state{}}
}

// Unhealthy says how the game has failed its checks in the run that the record tells
// of, and nothing while it has not. What was seen of another run is no word on this one.
func (w *Worker) Unhealthy(record runtime.RuntimeRecord) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.states[record.GameID]
	if s == nil || !s.tellsOf(record) || s.failures < w.cfg.Failures {
		return ""
	}
	// No count of failures here: a finding that grows would be a new one each time.
	return fmt.Sprintf("container %s has failed its health check %d times or more: %s", s.containerID, w.cfg.Failures, s.last.Error())
}

// Run asks in rounds until ctx ends, and then returns nil.
func (w *Worker) Run(ctx context.Context) error {
	for {
		spread := w.cfg.Interval / 5
		timer := time.NewTimer(w.cfg.Interval - spread + rand.N(2*spread+1))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
		if err := w.Pass(ctx); err != nil && ctx.Err() == nil {
			w.cfg.Logger.Warn("health round failed", "error", err)
		}
	}
}

// Pass asks every running game of this node once. One runs at a time.
func (w *Worker) Pass(ctx context.Context) error {
	running, err := w.running(ctx)
	if err != nil {
		return err
	}
	specs, err := w.specsOf(ctx, running)
	if err != nil {
		return err
	}
	var asking errgroup.Group
	asking.SetLimit(w.cfg.Concurrency)
	for _, found := range running {
		record := found.Record
		spec, settled := specs[record.GameID]
		if !settled {
			w.drop(record.GameID)
			continue
		}
		spec = spec.WithDefaults()
		if !spec.HasHealthCheck() || record.EngineEndpoint == "" {
			continue
		}
		asking.Go(func() error {
			err := w.prober.Probe(ctx, record.EngineEndpoint+spec.HealthPath)
			if ctx.Err() == nil {
				w.note(record, err)
			}
			return nil
		})
	}
	_ = asking.Wait() // none returns an error
	w.forget(running)
	return ctx.Err()
}

// note takes down how a game has answered.
func (w *Worker) note(record runtime.RuntimeRecord, err error) {
	w.mu.Lock()
	s := w.states[record.GameID]
	if s == nil || !s.tellsOf(record) {
		s = &state{containerID: record.CurrentContainerID, startedAt: startOf(record)}
		w.states[record.GameID] = s
	}
	was := s.failures >= w.cfg.Failures
	if !was {
		// What it said once it counts as unhealthy stays: errors name ports that change
		// with each try, and a finding with other words would be a new one each time.
		s.last = err
	}
	if err == nil {
		s.failures = 0
	} else {
		s.failures++
	}
	is := s.failures >= w.cfg.Failures
	w.mu.Unlock()
	if was != is {
		w.cfg.Notice(record.GameID)
	}
}

// drop forgets how the game has answered: an operation on it is in progress, which
// waits for its health itself.
func (w *Worker) drop(gameID string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.states, gameID)
}

// forget drops what is known of games that do not run any more.
func (w *Worker) forget(running []runtime.VersionedRecord) {
	runs := make(map[string]bool, len(running))
	for _, found := range running {
		runs[found.Record.GameID] = true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for gameID := range w.states {
		if !runs[gameID] {
			delete(w.states, gameID)
		}
	}
}

// knownSpec is how a game is to be checked while its record stands at the revision: an
// operation that changes the spec changes the record first, and is over when the intent
// has none in progress any more. Somebody who writes the record himself meanwhile can
// make that untrue, so it is not believed for ever.
type knownSpec struct {
	revision int64
	spec     operation.Spec
	age      int // in rounds
}

// oldSpec is the age at which a knownSpec is read again.
const oldSpec = 12

// specsOf returns how the games are to be checked, but of those that an operation is
// in progress on. A game without an intent, one that was adopted long ago say, has the
// zero Spec, and so has one whose intent is damaged: that must not keep the others
// from being asked. Only Pass calls it.
func (w *Worker) specsOf(ctx context.Context, running []runtime.VersionedRecord) (map[string]operation.Spec, error) {
	specs := make(map[string]operation.Spec, len(running))
	known := make(map[string]knownSpec, len(running))
	var changed []runtime.VersionedRecord
	var games []string
	for _, found := range running {
		gameID := found.Record.GameID
		if k, ok := w.known[gameID]; ok && k.revision == found.Revision && k.age < oldSpec {
			k.age++
			specs[gameID], known[gameID] = k.spec, k
			continue
		}
		changed, games = append(changed, found), append(games, gameID)
	}
	intents, err := w.intents.GetIntents(ctx, games)
	if err != nil && !errors.Is(err, runtime.ErrCorrupt) {
		return nil, fmt.Errorf("read the intents of the running games: %w", err)
	}
	for i, found := range changed {
		if intent := intents[i]; intent.Intent.Current == nil {
			specs[games[i]] = intent.Intent.Spec
			known[games[i]] = knownSpec{revision: found.Revision, spec: intent.Intent.Spec}
		}
	}
	w.known = known
	return specs, nil
}

// running returns the records of this node that are running. A copy that is a
// little old will do: the finding is judged again before anything follows from it.
func (w *Worker) running(ctx context.Context) ([]runtime.VersionedRecord, error) {
	query := ports.PageQuery{Status: runtime.StatusRunning, Region: w.cfg.Region, Node: w.cfg.Node, Limit: 1000, Local: true}
	var running []runtime.VersionedRecord
	for {
		page, err := w.records.ListPage(ctx, query)
		if err != nil {
			return nil, fmt.Errorf("list the running games of this node: %w", err)
		}
		running = append(running, page.Records...)
		if page.Next == "" {
			return running, nil
		}
		query.Revision, query.After, query.Local = page.Revision, page.Next, false
	}
}

// Package failover looks after games whose node is gone. One node of each region
// leads; it reports such games, and gives those whose policy says so to another node.
package failover

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/services/placement"
)

// Rescheduler gives games to other nodes.
type Rescheduler interface {
	Reschedule(ctx context.Context, seen runtime.VersionedRecord, to node.Node, fence node.Fence) error
}

// Dependencies are what a Worker works with; all are required.
type Dependencies struct {
	Records     ports.RuntimeReader
	Intents     ports.IntentStore
	Nodes       ports.NodeRegistry
	Election    ports.Election
	Rescheduler Rescheduler
}

// Config tunes a Worker. Region and Node are required.
type Config struct {
	Region, Node string
	// Grace is how long a node has to be gone before its games are given to others.
	// Default 30 s.
	Grace time.Duration
	// Interval is the time between two passes. Default 5 s.
	Interval time.Duration
	// Clock measures how long nodes have been gone. Default time.Now.
	Clock  func() time.Time
	Logger *slog.Logger
}

// Worker is the node worker of one node, idle while another one leads the region.
type Worker struct {
	Dependencies
	cfg Config

	mu    sync.Mutex
	book  *drift.Tracker // nil while another leads
	known []string       // the games that were halted at the latest pass; nil before the first one that leads
}

// New returns a worker, which does nothing before Run or Pass is called.
func New(parts Dependencies, cfg Config) *Worker {
	if cfg.Grace == 0 {
		cfg.Grace = 30 * time.Second
	}
	if cfg.Interval == 0 {
		cfg.Interval = 5 * time.Second
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	return &Worker{Dependencies: parts, cfg: cfg}
}

// Run campaigns for the region and works while it leads, until ctx ends.
func (w *Worker) Run(ctx context.Context) error {
	if err := w.Election.Lead(ctx, w.cfg.Region, w.lead); ctx.Err() == nil {
		return err
	}
	return nil
}

// lead makes passes until the leadership is over.
func (w *Worker) lead(ctx context.Context, fence node.Fence) error {
	w.cfg.Logger.Info("this node leads its region", "region", w.cfg.Region)
	defer w.cfg.Logger.Info("this node leads its region no more", "region", w.cfg.Region)
	defer w.resign()
	ticker := time.NewTicker(w.cfg.Interval)
	defer ticker.Stop()
	for {
		if err := w.Pass(ctx, fence); err != nil && ctx.Err() == nil {
			if errors.Is(err, runtime.ErrFenced) {
				return err
			}
			w.cfg.Logger.Warn("pass over the region's nodes failed", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

func (w *Worker) resign() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.book, w.known = nil, nil
}

// Findings returns the lost games that this node knows of: none while another leads.
func (w *Worker) Findings() []drift.Finding {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.book == nil {
		return nil
	}
	return w.book.All()
}

// Pass looks once for games of the region whose node is gone: those that run by
// their record, and those that were to run again, in the middle of an operation say.
// The fence is that of the leadership.
func (w *Worker) Pass(ctx context.Context, fence node.Fence) error {
	present, err := w.Nodes.Nodes(ctx)
	if err != nil {
		return fmt.Errorf("list the nodes: %w", err)
	}
	load, lost, err := w.survey(ctx, present)
	if err != nil {
		return err
	}
	book := w.ownBook()
	observed := map[string]*drift.Observation{}
	var faults []error
	for _, seen := range lost {
		observed[seen.Record.GameID] = &drift.Observation{}
		faults = append(faults, w.deal(ctx, book, seen, present, load, fence))
	}
	book.Prune(observed)
	return errors.Join(faults...)
}

func (w *Worker) ownBook() *drift.Tracker {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.book == nil {
		w.book = drift.NewTracker()
	}
	return w.book
}

// survey counts the running games of each node of the region, and returns those
// that have run on nodes that are not there: first those that run by their record.
func (w *Worker) survey(ctx context.Context, present []node.Node) (placement.Load, []runtime.VersionedRecord, error) {
	load := placement.Load{}
	var lost []runtime.VersionedRecord
	err := w.each(ctx, runtime.StatusRunning, func(found runtime.VersionedRecord) {
		load.Add(found.Record)
		if w.gone(found.Record.Node, present) {
			lost = append(lost, found)
		}
	})
	if err != nil {
		return nil, nil, err
	}
	halted, err := w.halted(ctx, present)
	return load, append(lost, halted...), err
}

// each gives every record of the region that has the status.
func (w *Worker) each(ctx context.Context, status runtime.Status, give func(runtime.VersionedRecord)) error {
	query := ports.PageQuery{Status: status, Region: w.cfg.Region, Limit: 1000}
	for {
		page, err := w.Records.ListPage(ctx, query)
		if err != nil {
			return fmt.Errorf("list the %s games of region %q: %w", status, w.cfg.Region, err)
		}
		for _, found := range page.Records {
			give(found)
		}
		if page.Next == "" {
			return nil
		}
		query.Revision, query.After = page.Revision, page.Next
	}
}

// halted returns the games that are stopped by their record only because the node
// which was to bring them up again has gone in the middle of that, or another one could
// not do so in its place. Such a game shows by its operation; one whose operation has
// failed is remembered, and a new leader looks for them once, among all that are stopped.
func (w *Worker) halted(ctx context.Context, present []node.Node) ([]runtime.VersionedRecord, error) {
	games, err := w.Intents.GamesWithActiveOperation(ctx, w.cfg.Region, "")
	if err != nil {
		return nil, fmt.Errorf("list the operations of region %q: %w", w.cfg.Region, err)
	}
	remembered := w.remembered()
	if remembered == nil {
		err = w.each(ctx, runtime.StatusStopped, func(found runtime.VersionedRecord) {
			if w.gone(found.Record.Node, present) {
				games = append(games, found.Record.GameID)
			}
		})
		if err != nil {
			return nil, err
		}
	}
	games = append(games, remembered...)
	slices.Sort(games)
	intents, err := w.Intents.GetIntents(ctx, slices.Compact(games))
	if err != nil && !errors.Is(err, runtime.ErrCorrupt) { // what a damaged one was to do nobody knows
		return nil, fmt.Errorf("read the intents of the games that may be halted: %w", err)
	}
	halted, known := []runtime.VersionedRecord{}, []string{}
	for _, in := range intents {
		op := in.Intent.Current
		if !toRunAgain(in.Intent) || op != nil && op.Kind != operation.KindReschedule && !w.gone(op.Node, present) {
			continue
		}
		found, err := w.Records.GetVersioned(ctx, in.Intent.GameID)
		switch {
		case errors.Is(err, runtime.ErrNotFound), errors.Is(err, runtime.ErrCorrupt):
		case err != nil:
			return nil, fmt.Errorf("read the record of %q: %w", in.Intent.GameID, err)
		case found.Record.Status == runtime.StatusStopped && found.Record.Region == w.cfg.Region:
			known = append(known, in.Intent.GameID)
			if w.gone(found.Record.Node, present) {
				halted = append(halted, found)
			}
		}
	}
	w.remember(known)
	return halted, nil
}

func (w *Worker) remembered() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.known
}

func (w *Worker) remember(games []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.known = games
}

// gone reports whether the node, of the worker's region, is not there.
func (w *Worker) gone(name string, present []node.Node) bool {
	return name != "" && !slices.ContainsFunc(present, func(n node.Node) bool { return n.Region == w.cfg.Region && n.Name == name })
}

// toRunAgain reports whether a game that is stopped was about to run again: by the
// operation in progress, or by a reschedule that has failed.
func toRunAgain(in operation.Intent) bool {
	op := in.Current
	switch {
	case op == nil:
		return in.DesiredStatus == runtime.StatusRunning && len(in.Recent) > 0 && in.Recent[0].Kind == operation.KindReschedule && in.Recent[0].Failure != nil
	case op.Kind == operation.KindReschedule:
		return true
	case op.PreviousRecord != nil && op.PreviousRecord.Status == runtime.StatusRunning: // by its success, and by its roll back
		return op.Kind == operation.KindRestart || op.Kind == operation.KindPatch
	default:
		return op.Failure == nil && (op.Kind == operation.KindRestart || op.Kind == operation.KindStart && op.Automatic)
	}
}

// deal reports one lost game, and gives it to another node when its time has come.
func (w *Worker) deal(ctx context.Context, book *drift.Tracker, seen runtime.VersionedRecord, present []node.Node, load placement.Load, fence node.Fence) error {
	record := seen.Record
	intent, err := w.Intents.GetIntent(ctx, record.GameID)
	if err != nil {
		return fmt.Errorf("read the intent of %q: %w", record.GameID, err)
	}
	finding := drift.Finding{
		ID: fmt.Sprintf("%s/%s/%s", drift.KindNodeLost, record.GameID, record.CurrentContainerID), Kind: drift.KindNodeLost,
		GameID: record.GameID, Region: w.cfg.Region, Node: w.cfg.Node, Action: drift.ActionNone, ContainerID: record.CurrentContainerID,
		Evidence:       fmt.Sprintf("node %s/%s, which the game lives on, is not there", record.Region, record.Node),
		RecordRevision: seen.Revision, IntentRevision: intent.Revision,
	}
	reschedule := intent.Intent.Spec.OnNodeLost == operation.NodeLostReschedule
	if op := intent.Intent.Current; op != nil && op.Kind == operation.KindStop && op.Failure == nil {
		reschedule = false
		finding.Evidence += ", and was about to stop it"
	}
	if reschedule {
		finding.Action = drift.ActionReschedule
	}
	noted := book.Record(record.GameID, []drift.Finding{finding}, w.cfg.Clock())[0]
	if !reschedule || w.cfg.Clock().Sub(noted.FirstSeen) < w.cfg.Grace || w.underWay(intent.Intent.Current, present) {
		return nil
	}
	to, found := placement.Select(placement.Request{
		Region: w.cfg.Region, Nodes: present, Load: load, Failures: placement.RecentFailures(intent.Intent.Recent),
	})
	if !found {
		return nil // nobody to give it to; the finding stays
	}
	err = w.Rescheduler.Reschedule(ctx, seen, to, fence)
	switch {
	case err == nil:
		load[to.Ref()]++
		return nil
	case errors.Is(err, runtime.ErrConflict), errors.Is(err, operation.ErrBusy):
		return nil // it has moved on by itself
	default:
		return err
	}
}

// underWay reports whether a node that is there already has the game in hand.
func (w *Worker) underWay(op *operation.Operation, present []node.Node) bool {
	return op != nil && slices.ContainsFunc(present, func(n node.Node) bool { return n.Region == op.Region && n.Name == op.Node })
}

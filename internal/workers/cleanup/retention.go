package cleanup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// RetentionStore is the part of the store that a Retention uses.
type RetentionStore interface {
	ports.RuntimeReader
	ports.RuntimeDeleter
	ports.RuntimeWatcher
	GetIntent(ctx context.Context, gameID string) (ports.VersionedIntent, error)
	// GamesWithIntent returns the games that have an intent, in no particular order.
	GamesWithIntent(ctx context.Context) ([]string, error)
}

// Nodes is the part of the registry of nodes that a Retention uses.
type Nodes interface {
	Overview(ctx context.Context) (node.Overview, error)
}

// StateDirs deletes the state directories of games on this node, as statedir.Dirs does.
type StateDirs interface {
	Track(gameID string) error
	Tracked() ([]string, error)
	Remove(gameID string, isDeleted func() (bool, error)) error
}

// RetentionDependencies are the parts that a Retention uses. All are required, except States.
type RetentionDependencies struct {
	Store  RetentionStore
	Engine ports.ContainerReader
	Nodes  Nodes
	// IsBraked reports whether the brake of this node is engaged, or the node is paused.
	IsBraked func() bool
	// States is nil if the games of this node have no state directories.
	States StateDirs
}

// RetentionConfig configures a Retention. Region and Node are required.
type RetentionConfig struct {
	Region, Node string
	// Retention is how long a removed game is kept, from its removed_at; 0 keeps it.
	Retention time.Duration
	// Interval is the time between two passes. Default: a tenth of Retention, from 1 s to
	// 1 min.
	Interval time.Duration
	// AbsentGrace is how long the leader must observe that a known node is absent before it
	// deletes the games of that node. Default: 1 h, at most Retention.
	AbsentGrace time.Duration
	// Rate is the number of games that are deleted in a second. Default 200.
	Rate int
	// Clock is the clock of the node. Default time.Now.
	Clock func() time.Time
	// Logger receives a line per pass that deletes something or fails; nil discards them.
	Logger *slog.Logger
}

// deletionBatch is how many games are deleted concurrently, and so in one or two
// transactions of the store.
const deletionBatch = 100

// Retention deletes games that have been removed for a configured time, and the state
// directories of deleted games. It is the retention worker of one node.
//
// A node deletes its own games, if its engine has no container of the game: a container of
// a deleted game would be adopted as a new game. The leader of a region deletes the games of
// its region whose node is absent or not known, and those of regions without a present node.
//
// A deletion needs no fence: it compares revision and status of the record, so it does not
// matter which node makes it. It needs no lease either, and so works at the quota of the
// store.
type Retention struct {
	deps    RetentionDependencies
	cfg     RetentionConfig
	limiter *rate.Limiter
	// absentSince is when a leader first observed that a node is absent; only Pass uses it.
	absentSince map[node.Ref]time.Time
	// nextScan is when the games whose first start has failed are listed next; only Pass uses it.
	nextScan time.Time
	// backoff delays deletions after the archive has failed; only Pass uses it.
	backoff archiveBackoff
}

// NewRetention returns a worker, which does nothing before Run or Pass.
func NewRetention(deps RetentionDependencies, cfg RetentionConfig) *Retention {
	cfg.Interval = cmp.Or(cfg.Interval, min(max(cfg.Retention/10, time.Second), time.Minute))
	cfg.AbsentGrace = cmp.Or(cfg.AbsentGrace, min(cfg.Retention, time.Hour))
	cfg.Rate = cmp.Or(cfg.Rate, 200)
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Retention{
		deps: deps, cfg: cfg, limiter: rate.NewLimiter(rate.Limit(cfg.Rate), max(cfg.Rate, deletionBatch)),
		absentSince: map[node.Ref]time.Time{},
	}
}

// Run makes passes until ctx ends, and then returns nil.
func (r *Retention) Run(ctx context.Context) error {
	deleted := make(chan struct{}, 1)
	var wg sync.WaitGroup
	if r.deps.States != nil {
		wg.Go(func() { r.watchGames(ctx, deleted) })
	}
	ticker := time.NewTicker(r.cfg.Interval)
	defer ticker.Stop()
	for ctx.Err() == nil {
		count, err := r.Pass(ctx)
		if count > 0 {
			r.cfg.Logger.Info("deleted games that were removed before", "count", count, "retention", r.cfg.Retention)
		}
		if err != nil && ctx.Err() == nil {
			r.cfg.Logger.Warn("retention pass failed", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-ticker.C:
		case <-deleted:
		}
	}
	wg.Wait()
	return nil
}

// Pass deletes the games that are due, and then the state directories of deleted games. It
// returns the number of deleted games. While the brake is engaged it does nothing: the
// records may be wrong then. It must not run concurrently.
func (r *Retention) Pass(ctx context.Context) (int, error) {
	if r.deps.IsBraked() {
		return 0, nil
	}
	count := 0
	var faults []error
	if r.cfg.Retention > 0 && !r.backoff.isActive(r.cfg.Clock()) {
		due, err := r.listDue(ctx)
		faults = append(faults, err)
		if r.backoff.delay > 0 { // games that the archive never accepts must not fill the first batch of each pass
			rand.Shuffle(len(due), func(i, j int) { due[i], due[j] = due[j], due[i] })
		}
		for batch := range slices.Chunk(due, deletionBatch) {
			deleted, err := r.deleteBatch(ctx, batch)
			count += deleted
			faults = append(faults, err)
			// A game that is not archived delays no other one if the archive has accepted those.
			if err != nil && (deleted == 0 || !errors.Is(err, runtime.ErrNotArchived)) {
				break
			}
		}
		r.backoff.update(r.cfg.Clock(), r.cfg.Interval, errors.Is(errors.Join(faults...), runtime.ErrNotArchived))
	}
	if r.cfg.Retention > 0 {
		deleted, err := r.deleteFailedStarts(ctx)
		count += deleted
		faults = append(faults, err)
	}
	return count, errors.Join(append(faults, r.removeStates(ctx))...)
}

// listDue returns the games that this node has to delete now. An error does not prevent the
// deletion of the games that are known.
func (r *Retention) listDue(ctx context.Context) ([]runtime.VersionedRecord, error) {
	due, err := r.listRemoved(ctx, node.Ref{Region: r.cfg.Region, Name: r.cfg.Node})
	if err == nil && len(due) > 0 {
		due, err = r.withoutContainers(ctx, due)
	}
	abandoned, errAbandoned := r.listAbandoned(ctx)
	return append(due, abandoned...), errors.Join(err, errAbandoned)
}

// listRemoved returns the games of the node, or all for the zero Ref, that have been removed
// for long enough. The list may be stale: the deletion compares the revision.
func (r *Retention) listRemoved(ctx context.Context, of node.Ref) ([]runtime.VersionedRecord, error) {
	query := ports.ScanQuery{RecordFilter: ports.FilterByNode(of, runtime.StatusRemoved), Local: true}
	var due []runtime.VersionedRecord
	for found, err := range ports.ScanRecords(ctx, r.deps.Store, query) {
		if err != nil {
			return nil, fmt.Errorf("list the removed games: %w", err)
		}
		if r.isDue(found.Record) {
			due = append(due, found.Clone())
		}
	}
	return due, nil
}

func (r *Retention) isDue(record *runtime.RuntimeRecord) bool {
	removedAt := record.LastOpAt
	if record.RemovedAt != nil {
		removedAt = *record.RemovedAt
	}
	return r.cfg.Clock().Sub(removedAt) >= r.cfg.Retention
}

// withoutContainers returns the games without a container in the engine. Without the
// engine it returns none.
func (r *Retention) withoutContainers(ctx context.Context, games []runtime.VersionedRecord) ([]runtime.VersionedRecord, error) {
	containers, err := r.deps.Engine.List(ctx, "")
	if err != nil {
		return nil, fmt.Errorf("list the containers: %w", err)
	}
	hasContainer := map[string]bool{}
	for _, c := range containers {
		hasContainer[c.Labels.GameID] = true
	}
	return slices.DeleteFunc(games, func(v runtime.VersionedRecord) bool { return hasContainer[v.Record.GameID] }), nil
}

// deleteBatch deletes the games concurrently, so that the store combines them, and returns how
// many it has deleted. It skips a game that has changed.
func (r *Retention) deleteBatch(ctx context.Context, batch []runtime.VersionedRecord) (int, error) {
	if err := r.limiter.WaitN(ctx, len(batch)); err != nil {
		return 0, err
	}
	for _, v := range batch { // the watch may not have started yet
		r.track(v.Record.GameID)
	}
	origin := ports.Origin{Actor: "retention", Reason: fmt.Sprintf("removed for %s", r.cfg.Retention)}
	errs := make([]error, len(batch))
	var wg sync.WaitGroup
	for i, v := range batch {
		wg.Go(func() {
			errs[i] = r.deps.Store.Delete(ctx, ports.DeleteInput{GameID: v.Record.GameID, IfRevision: &v.Revision, Origin: origin})
		})
	}
	wg.Wait()
	count := 0
	isUnarchived := false
	var faults []error
	for i, err := range errs {
		switch {
		case err == nil:
			count++
			r.cfg.Logger.Debug("game deleted", "game_id", batch[i].Record.GameID, "removed_at", batch[i].Record.RemovedAt)
		case errors.Is(err, runtime.ErrNotFound), errors.Is(err, runtime.ErrConflict), errors.Is(err, operation.ErrRejected), errors.Is(err, operation.ErrBusy):
			// Another node has deleted the game, or it is being started.
		case errors.Is(err, runtime.ErrNotArchived) && isUnarchived: // one of many
		default:
			isUnarchived = isUnarchived || errors.Is(err, runtime.ErrNotArchived)
			faults = append(faults, err)
		}
	}
	return count, errors.Join(faults...)
}

package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// PassResult is the result of a pass.
type PassResult struct {
	Games    int // games that concern this node
	Findings int
	// EngineEmpty reports that the engine lists no container of this node.
	EngineEmpty bool
	Duration    time.Duration
}

// Pass observes everything that concerns this node: the records that name it, the
// operations on it, and the containers of its engine. It enqueues every game with a
// finding or whose record states another condition, engages the brake if too many games would be affected, and drops findings
// that no longer exist. It changes no game itself.
func (w *Worker) Pass(ctx context.Context) (PassResult, error) {
	startedAt := time.Now()
	observed, err := w.observeAll(ctx)
	if err != nil {
		return PassResult{}, err
	}
	result := PassResult{Games: len(observed), EngineEmpty: true}
	running := 0
	affected := map[string]bool{} // games with a destructive finding
	var pending []string
	for gameID, o := range observed {
		w.addLocalState(o)
		if err := w.addWriter(ctx, o); err != nil {
			return PassResult{}, err
		}
		result.EngineEmpty = result.EngineEmpty && len(o.Containers) == 0 && o.EngineError == nil
		findings := w.tracker.Record(gameID, w.detect(*o), o.Now)
		if o.Record != nil && o.Record.Status == runtime.StatusRunning {
			running++
		}
		result.Findings += len(findings)
		if slices.ContainsFunc(findings, isDestructive) {
			affected[gameID] = true
		}
		if len(findings) > 0 || o.Intent.Current != nil || hasConditionDrift(*o, findings) {
			pending = append(pending, gameID)
		}
	}
	w.tracker.Prune(observed)
	w.pruneWriters(observed)
	if w.brake.isShareExceeded(running, len(affected)) {
		if err := w.recheck(ctx, affected); err != nil {
			w.log.Warn("cannot observe the affected games a second time; the first observation counts", "error", err)
		}
	}
	w.brake.evaluate(running, len(affected))
	for _, gameID := range pending {
		w.deps.Queue.Enqueue(gameID)
	}
	result.Duration = time.Since(startedAt)
	return result, nil
}

// recheck removes the games from affected that have no destructive finding in a second
// observation. An observation reads records before containers. A game that is cleaned up
// in between therefore has a record and no container in the first observation.
func (w *Worker) recheck(ctx context.Context, affected map[string]bool) error {
	second, err := w.observeAll(ctx)
	if err != nil {
		return err
	}
	for gameID := range affected {
		o := second[gameID]
		if o != nil {
			w.addLocalState(o)
		}
		if o == nil || !slices.ContainsFunc(drift.Detect(*o), isDestructive) {
			delete(affected, gameID)
		}
	}
	return nil
}

// observeAll observes every game that concerns this node: by its record, by an operation
// in progress, or by a container. It reads only the data of this node, however many
// games other nodes have.
func (w *Worker) observeAll(ctx context.Context) (map[string]*drift.Observation, error) {
	observed := map[string]*drift.Observation{}
	observationOf := func(gameID string) *drift.Observation {
		if observed[gameID] == nil {
			observed[gameID] = &drift.Observation{GameID: gameID, Region: w.cfg.Region, Node: w.cfg.Node}
		}
		return observed[gameID]
	}
	withOperation, records, err := w.listGames(ctx)
	if err != nil {
		return nil, err
	}
	for _, gameID := range withOperation {
		observationOf(gameID)
	}
	for _, found := range records {
		o := observationOf(found.Record.GameID)
		o.Record, o.RecordRevision = &found.Record, found.Revision
	}
	engineCtx, cancel := context.WithTimeout(ctx, engineTimeout)
	defer cancel()
	containers, engineErr := w.deps.Engine.List(engineCtx, "")
	if ctx.Err() == nil {
		w.absence.record(engineErr, w.cfg.Clock())
	}
	for _, c := range containers {
		o := observationOf(c.Labels.GameID)
		o.Containers = append(o.Containers, c)
	}
	for _, o := range observed {
		o.EngineError = engineErr
		if o.Record == nil { // the list above contains only records of this node
			w.addRecord(ctx, o)
		}
	}
	if err := w.addIntents(ctx, observed); err != nil {
		return nil, err
	}
	w.dropAbsentAsDesired(observed)
	return observed, nil
}

// listGames returns the games of this node that have an operation in progress, and the
// records of this node but those of removed games that are absent as desired. It reads both
// at once: a game that moves from one list to the other in between has a container, and
// observeAll reads its record.
func (w *Worker) listGames(ctx context.Context) (withOperation []string, records []runtime.VersionedRecord, err error) {
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		withOperation, err = w.deps.Intents.GamesWithActiveOperation(groupCtx, w.cfg.Region, w.cfg.Node)
		if err != nil {
			return fmt.Errorf("list the operations of this node: %w", err)
		}
		return nil
	})
	group.Go(func() error {
		query := ports.ScanQuery{RecordFilter: ports.FilterByNode(node.Ref{Region: w.cfg.Region, Name: w.cfg.Node})}
		for found, err := range ports.ScanRecords(groupCtx, w.deps.Records, query) {
			if err != nil {
				return fmt.Errorf("list the records of this node: %w", err)
			}
			if found.Record.Status != runtime.StatusRemoved || !w.isAbsentAsDesired(found) {
				records = append(records, found.Clone())
			}
		}
		return nil
	})
	err = group.Wait()
	return withOperation, records, err
}

// addRecord adds the game's record. A record that cannot be read is unknown, not absent:
// its error makes the whole observation unknown.
func (w *Worker) addRecord(ctx context.Context, o *drift.Observation) {
	found, err := w.deps.Records.GetVersioned(ctx, o.GameID)
	if err == nil {
		o.Record, o.RecordRevision = &found.Record, found.Revision
	} else if !errors.Is(err, runtime.ErrNotFound) {
		o.EngineError = err
	}
}

// addIntents adds the games' intents. A corrupt intent makes its game unknown.
func (w *Worker) addIntents(ctx context.Context, observed map[string]*drift.Observation) error {
	gameIDs := slices.Sorted(maps.Keys(observed))
	intents, err := w.deps.Intents.GetIntents(ctx, gameIDs)
	if err != nil && !errors.Is(err, runtime.ErrCorrupt) {
		return fmt.Errorf("read the intents of this node's games: %w", err)
	}
	corrupt := corruptByGame(err)
	for i, gameID := range gameIDs {
		o := observed[gameID]
		o.Intent, o.IntentRevision = intents[i].Intent, intents[i].Revision
		o.EngineError = cmp.Or(o.EngineError, corrupt[gameID])
	}
	return nil
}

// corruptByGame returns the corruption errors of a list, by game. They affect these games
// only; the others are reconciled.
func corruptByGame(listErr error) map[string]error {
	joined, isJoined := listErr.(interface{ Unwrap() []error })
	if !isJoined {
		return nil
	}
	corrupt := map[string]error{}
	for _, err := range joined.Unwrap() {
		if fault, ok := errors.AsType[*runtime.CorruptError](err); ok {
			corrupt[fault.GameID] = fault
		}
	}
	return corrupt
}

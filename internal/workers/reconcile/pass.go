package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// Result is what a pass over everything came to.
type Result struct {
	Games    int // that this node has to do with
	Findings int
	// Empty: the engine has no container at all, of this node.
	Empty bool
	Took  time.Duration
}

// Pass looks at everything that this node has to do with: the records that name
// it, the intents of operations on it, and the containers of its engine. It queues
// every game that does not agree, sets the brake where too many have something to
// lose, and forgets findings that are over. No game is changed by the pass itself.
func (w *Worker) Pass(ctx context.Context) (Result, error) {
	began := time.Now()
	seen, err := w.survey(ctx)
	if err != nil {
		return Result{}, err
	}
	result := Result{Games: len(seen), Empty: true}
	running := 0
	losing := map[string]bool{} // games
	var noticed []string
	for gameID, o := range seen {
		w.complete(o)
		result.Empty = result.Empty && len(o.Containers) == 0 && o.EngineError == nil
		findings := w.book.Record(gameID, drift.Detect(*o), o.Now)
		if o.Record != nil && o.Record.Status == runtime.StatusRunning {
			running++
		}
		result.Findings += len(findings)
		if slices.ContainsFunc(findings, destructive) {
			losing[gameID] = true
		}
		if len(findings) > 0 || o.Intent.Current != nil {
			noticed = append(noticed, gameID)
		}
	}
	w.book.Prune(seen)
	if w.brake.tooMany(running, len(losing)) {
		if err := w.confirm(ctx, losing); err != nil {
			w.log.Warn("what would be lost cannot be looked at again, and is believed", "error", err)
		}
	}
	w.brake.weigh(running, len(losing))
	for _, gameID := range noticed {
		w.Enqueue(gameID)
	}
	result.Took = time.Since(began)
	return result, nil
}

// confirm takes out of losing what a second look does not find again. A survey reads
// records first and containers after: games that were cleaned up in between look as
// if they were gone.
func (w *Worker) confirm(ctx context.Context, losing map[string]bool) error {
	again, err := w.survey(ctx)
	if err != nil {
		return err
	}
	for gameID := range losing {
		o := again[gameID]
		if o != nil {
			w.complete(o)
		}
		if o == nil || !slices.ContainsFunc(drift.Detect(*o), destructive) {
			delete(losing, gameID)
		}
	}
	return nil
}

// survey collects an observation of every game that this node has to do with: by its
// record, by an operation in progress, or by a container. What it reads is the node's
// own, however many games there are elsewhere.
func (w *Worker) survey(ctx context.Context) (map[string]*drift.Observation, error) {
	seen := map[string]*drift.Observation{}
	at := func(gameID string) *drift.Observation {
		if seen[gameID] == nil {
			seen[gameID] = &drift.Observation{GameID: gameID, Region: w.cfg.Region, Node: w.cfg.Node}
		}
		return seen[gameID]
	}
	assigned, err := w.Intents.GamesWithActiveOperation(ctx, w.cfg.Region, w.cfg.Node)
	if err != nil {
		return nil, fmt.Errorf("list the operations of this node: %w", err)
	}
	for _, gameID := range assigned {
		at(gameID)
	}
	if err := w.surveyRecords(ctx, func(found runtime.VersionedRecord) {
		o := at(found.Record.GameID)
		o.Record, o.RecordRevision = &found.Record, found.Revision
	}); err != nil {
		return nil, err
	}
	bound, cancel := context.WithTimeout(ctx, engineTimeout)
	defer cancel()
	containers, trouble := w.Engine.List(bound, "")
	for _, c := range containers {
		o := at(c.Labels.GameID)
		o.Containers = append(o.Containers, c)
	}
	for gameID, o := range seen {
		o.EngineError = trouble
		if o.Record == nil { // not this node's, or none: a container of it is here all the same
			found, err := w.Records.GetVersioned(ctx, gameID)
			if err == nil {
				o.Record, o.RecordRevision = &found.Record, found.Revision
			} else if !errors.Is(err, runtime.ErrNotFound) {
				o.EngineError = err // not the same as absent
			}
		}
	}
	return seen, w.surveyIntents(ctx, seen)
}

// surveyIntents adds the games' intents. Of a game whose intent is damaged nothing follows.
func (w *Worker) surveyIntents(ctx context.Context, seen map[string]*drift.Observation) error {
	games := slices.Sorted(maps.Keys(seen))
	intents, err := w.Intents.GetIntents(ctx, games)
	if err != nil && !errors.Is(err, runtime.ErrCorrupt) {
		return fmt.Errorf("read the intents of this node's games: %w", err)
	}
	damaged := damagedIn(err)
	for i, gameID := range games {
		o := seen[gameID]
		o.Intent, o.IntentRevision = intents[i].Intent, intents[i].Revision
		o.EngineError = cmp.Or(o.EngineError, damaged[gameID])
	}
	return nil
}

// damagedIn returns the damage that a list tells of, by game. Nothing follows for
// such a game, and the others are looked after all the same.
func damagedIn(listed error) map[string]error {
	joined, several := listed.(interface{ Unwrap() []error })
	if !several {
		return nil
	}
	damaged := map[string]error{}
	for _, err := range joined.Unwrap() {
		if fault, ok := errors.AsType[*runtime.CorruptError](err); ok {
			damaged[fault.GameID] = fault
		}
	}
	return damaged
}

// surveyRecords gives every record of this node that is not removed.
func (w *Worker) surveyRecords(ctx context.Context, give func(runtime.VersionedRecord)) error {
	query := ports.PageQuery{Region: w.cfg.Region, Node: w.cfg.Node, Limit: 1000}
	for {
		page, err := w.Records.ListPage(ctx, query)
		if err != nil {
			return fmt.Errorf("list the records of this node: %w", err)
		}
		for _, found := range page.Records {
			if found.Record.Status != runtime.StatusRemoved {
				give(found)
			}
		}
		if page.Next == "" {
			return nil
		}
		query.Revision, query.After = page.Revision, page.Next
	}
}

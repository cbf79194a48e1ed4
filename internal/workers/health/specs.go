package health

import (
	"context"
	"errors"
	"fmt"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// cachedSpec is the spec of a game while its record has the revision. An operation that
// changes the spec changes the record first. Another writer may change the record during
// an operation. Therefore a spec also expires after maxSpecAge passes. So does an operation in
// progress that the store knows: it may have ended, and then no write of this node reports that.
type cachedSpec struct {
	revision int64
	spec     operation.Spec
	isBusy   bool // there is no spec, because the game has an operation in progress
	age      int  // in passes
}

// maxSpecAge is how many passes use a cached spec.
const maxSpecAge = 12

// loadSpecs returns the specs of the games, except those with an operation in progress. A
// game without an intent has the zero Spec. The intent of a record that has changed is the one that the store
// knows, if it does: most changes are those of operations of this node. So has a game with a corrupt intent, which
// must not prevent the probes of the other games.
func (w *Worker) loadSpecs(ctx context.Context, running []ports.SharedRecord) (map[string]operation.Spec, error) {
	specs := make(map[string]operation.Spec, len(running))
	cached := make(map[string]cachedSpec, len(running))
	var changed []ports.SharedRecord
	var gameIDs []string
	for _, found := range running {
		gameID := found.Record.GameID
		c, isCached := w.specs[gameID]
		isExpired := isCached && c.age >= maxSpecAge
		if isCached && !c.isBusy && c.revision == found.Revision && !isExpired {
			c.age++
			specs[gameID], cached[gameID] = c.spec, c
			continue
		}
		if intent, _, isKnown := w.deps.Intents.GetIntentAndRecordLocal(gameID); isKnown && !isExpired {
			switch {
			case intent.Intent.Current == nil:
				specs[gameID], cached[gameID] = intent.Intent.Spec, cachedSpec{revision: found.Revision, spec: intent.Intent.Spec}
			case c.isBusy:
				cached[gameID] = cachedSpec{isBusy: true, age: c.age + 1}
			default:
				cached[gameID] = cachedSpec{isBusy: true, age: 1}
			}
			continue
		}
		changed, gameIDs = append(changed, found), append(gameIDs, gameID)
	}
	intents, err := w.deps.Intents.GetIntents(ctx, gameIDs)
	if err != nil && !errors.Is(err, runtime.ErrCorrupt) {
		return nil, fmt.Errorf("read the intents of the running games: %w", err)
	}
	for i, found := range changed {
		if intent := intents[i].Intent; intent.Current == nil {
			specs[gameIDs[i]] = intent.Spec
			cached[gameIDs[i]] = cachedSpec{revision: found.Revision, spec: intent.Spec}
		}
	}
	w.specs = cached
	return specs, nil
}

package maintenance

import (
	"context"
	"errors"
	"fmt"
	"time"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// MaxDrainTimeout is the longest time that a drain may take.
const MaxDrainTimeout = 7 * 24 * time.Hour

// StartDrain cordons the node and requests that its daemon drains it. It replaces a drain in
// progress. It returns runtime.ErrInvalid for a timeout that is not from 1 s to
// MaxDrainTimeout, and *operation.RejectedError for a node that is absent or runs no games.
func (s *Service) StartDrain(ctx context.Context, ref node.Ref, options node.DrainOptions, origin ports.Origin) (node.Settings, error) {
	if options.Timeout < time.Second || options.Timeout > MaxDrainTimeout {
		return node.Settings{}, &runtime.InvalidError{Field: "deadline", Reason: fmt.Sprintf("%s is not from 1s to %s", options.Timeout, MaxDrainTimeout)}
	}
	nodes, err := s.deps.Nodes.Overview(ctx)
	if err != nil {
		return node.Settings{}, err
	}
	found, isPresent := node.Find(nodes.Present, ref)
	if _, isAbsent := nodes.FindAbsent(ref); !isPresent && isAbsent {
		return node.Settings{}, &operation.RejectedError{
			Operation: "drain", Reason: fmt.Sprintf("node %s is absent, and its daemon drains it: start the daemon, or cordon the node", ref),
		}
	}
	if isPresent && found.Engine == "" {
		return node.Settings{}, &operation.RejectedError{Operation: "drain", Reason: fmt.Sprintf("node %s runs no games", ref)}
	}
	return s.update(ctx, "drain requested", ref, origin, func(settings *node.Settings) error {
		mark := s.mark(origin)
		if settings.Cordoned == nil {
			settings.Cordoned = mark
		}
		settings.Drain = &node.Drain{
			ID: operation.NewID(), Mark: *mark, TimeoutMS: options.Timeout.Milliseconds(), StopOnly: options.StopOnly, Force: options.Force,
		}
		return nil
	})
}

// PlanDrain returns what a drain with the options does with each game that runs on the node.
func (s *Service) PlanDrain(ctx context.Context, ref node.Ref, options node.DrainOptions) ([]node.DrainStep, error) {
	return PlanDrain(ctx, s.deps.Records, s.deps.Intents, ref, node.Drain{StopOnly: options.StopOnly, Force: options.Force})
}

// PlanDrain returns what the drain does with each game that runs on the node, ordered by game
// id. A game whose intent cannot be read has to wait.
func PlanDrain(ctx context.Context, records Records, intents Intents, ref node.Ref, drain node.Drain) ([]node.DrainStep, error) {
	var gameIDs []string
	for found, err := range ports.ScanRecords(ctx, records, ports.ScanQuery{RecordFilter: ports.FilterByNode(ref, runtime.StatusRunning)}) {
		if err != nil {
			return nil, fmt.Errorf("list the running games of node %s: %w", ref, err)
		}
		gameIDs = append(gameIDs, found.Record.GameID)
	}
	return PlanGames(ctx, intents, ref, gameIDs, drain)
}

// PlanGames returns what the drain does with each of the games of the node, in their order. A game whose
// intent cannot be read has to wait.
func PlanGames(ctx context.Context, intents Intents, ref node.Ref, gameIDs []string, drain node.Drain) ([]node.DrainStep, error) {
	if len(gameIDs) == 0 {
		return nil, nil
	}
	found, err := intents.GetIntents(ctx, gameIDs)
	if err != nil && !errors.Is(err, runtime.ErrCorrupt) {
		return nil, fmt.Errorf("read the intents of the games of node %s: %w", ref, err)
	}
	steps := make([]node.DrainStep, len(gameIDs))
	for i, gameID := range gameIDs {
		steps[i] = node.DrainStep{GameID: gameID, Action: actionOf(found[i].Intent, drain)}
	}
	return steps, nil
}

// actionOf returns what the drain does with a running game.
func actionOf(intent operation.Intent, drain node.Drain) node.DrainAction {
	switch {
	case drain.StopOnly:
		return node.DrainStop
	case drain.Force, intent.Spec.WithDefaults().OnNodeLost == operation.NodeLostReschedule:
		return node.DrainMove
	default:
		return node.DrainWait
	}
}

// Records lists records in pages.
type Records interface {
	ListPage(ctx context.Context, query ports.PageQuery) (ports.Page, error)
}

// Intents reads the intents of games.
type Intents interface {
	GetIntents(ctx context.Context, gameIDs []string) ([]ports.VersionedIntent, error)
}

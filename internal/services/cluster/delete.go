package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
)

// CheckNoContainers returns nil if no node has a container of the removed game, and for a
// game that is not removed. A node would adopt the container of a deleted game, which then
// existed a second time.
//
// It queries the present nodes that have run operations of the game. An absent node cannot be
// queried: it must have cleaned up the game before, unless an operator has removed the node
// from the list of nodes. A game without an intent has no container,
// because only operations create containers.
//
// Errors:
//   - *operation.RejectedError if a node has a container, or may have one,
//   - *node.UnreachableError if a present node does not respond,
//   - the errors of the store.
func (s *Service) CheckNoContainers(ctx context.Context, gameID string) error {
	placedOn, status, err := s.readPlacement(ctx, gameID)
	if errors.Is(err, runtime.ErrNotFound) { // its first start may have failed
		status, err = runtime.StatusRemoved, nil
	}
	if err != nil || status != runtime.StatusRemoved || s.deps.Intents == nil {
		return err // the deletion itself reports the reason, if there is one
	}
	intent, err := s.deps.Intents.GetIntent(ctx, gameID)
	if err != nil || intent.Revision == 0 {
		return err
	}
	var nodes node.Overview
	if s.deps.Nodes != nil {
		if nodes, err = s.deps.Nodes.Overview(ctx); err != nil {
			return fmt.Errorf("list the nodes: %w", err)
		}
	}
	candidates := intent.Intent.NodesWithContainers()
	if placedOn.Name != "" && !slices.Contains(candidates, placedOn) {
		if _, isPresent := node.Find(nodes.Present, placedOn); isPresent || placedOn == s.self {
			candidates = append(candidates, placedOn)
		}
	}
	for _, candidate := range candidates {
		if err := s.checkNoContainersOn(ctx, candidate, placedOn, gameID, nodes); err != nil {
			return err
		}
	}
	return nil
}

// checkNoContainersOn queries one node. Only the node of the record explains a game; the findings
// of any other node include containers that the record does not name.
func (s *Service) checkNoContainersOn(ctx context.Context, candidate, placedOn node.Ref, gameID string, nodes node.Overview) error {
	target, isPresent := node.Find(nodes.Present, candidate)
	_, isAbsent := nodes.FindAbsent(candidate)
	switch {
	case candidate == s.self && s.deps.Local != nil:
		explanation, err := s.deps.Local.Explain(ctx, gameID)
		return rejectContainers(explanation, candidate, gameID, err)
	case !isPresent && !isAbsent:
		return nil
	case !isPresent:
		return rejectDeletion(gameID, fmt.Sprintf("node %s is absent and may still have a container of the game; delete the game once the node is present, or remove the node first", candidate))
	case candidate == placedOn:
		explanation, err := s.explainOn(ctx, target, gameID)
		return rejectContainers(explanation, candidate, gameID, err)
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.PeerTimeout)
	defer cancel()
	report, err := s.deps.Peer.Drift(ctx, target)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(report.Findings, func(f drift.Finding) bool { return f.GameID == gameID && f.ContainerID != "" }) {
		return rejectContainer(gameID, candidate)
	}
	return nil
}

// rejectContainers returns an error if the explanation has containers or may lack some.
func rejectContainers(explanation drift.Explanation, from node.Ref, gameID string, err error) error {
	switch {
	case errors.Is(err, runtime.ErrNotFound):
		return nil
	case err != nil:
		return err
	case len(explanation.Containers) > 0:
		return rejectContainer(gameID, from)
	case len(explanation.Warnings) > 0:
		return rejectDeletion(gameID, fmt.Sprintf("node %s does not know whether it has a container of the game: %s", from, explanation.Warnings[0]))
	default:
		return nil
	}
}

func rejectContainer(gameID string, on node.Ref) error {
	return rejectDeletion(gameID, fmt.Sprintf("node %s still has a container of the game; it removes the container within seconds, unless its brake is engaged; repeat the deletion then", on))
}

func rejectDeletion(gameID, reason string) error {
	return &operation.RejectedError{GameID: gameID, Operation: "delete", Status: runtime.StatusRemoved, Reason: reason}
}

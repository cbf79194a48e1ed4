package cluster

import (
	"context"
	"errors"

	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
)

// Explain returns the explanation of the game from its node, because only that node has
// access to its container. If that node is unreachable, and this one has an engine,
// Explain returns the stored part with a warning. It returns runtime.ErrNotFound for an
// unknown game.
func (s *Service) Explain(ctx context.Context, gameID string, isForwarded bool) (drift.Explanation, error) {
	placedOn, _, err := s.readPlacement(ctx, gameID)
	if err != nil && !errors.Is(err, runtime.ErrNotFound) {
		return drift.Explanation{}, err
	}
	switch isRemote := placedOn.Name != "" && placedOn != s.self; {
	case isRemote && isForwarded:
		return drift.Explanation{}, &node.MisroutedError{GameID: gameID, Node: placedOn, Local: s.self}
	case isRemote:
		return s.explainRemote(ctx, placedOn, gameID)
	}
	if err := s.requireEngine(); err != nil {
		return drift.Explanation{}, err
	}
	return s.deps.Local.Explain(ctx, gameID)
}

func (s *Service) explainRemote(ctx context.Context, placedOn node.Ref, gameID string) (drift.Explanation, error) {
	explanation, err := s.explainFrom(ctx, placedOn, gameID)
	if s.deps.Local == nil || !errors.Is(err, node.ErrUnreachable) {
		return explanation, err
	}
	unreachable := err
	if explanation, err = s.deps.Local.Explain(ctx, gameID); err != nil {
		return explanation, err
	}
	explanation.Warnings = append(explanation.Warnings, unreachable.Error()+"; the game's containers, log and findings are missing")
	return explanation, nil
}

func (s *Service) explainFrom(ctx context.Context, source node.Ref, gameID string) (drift.Explanation, error) {
	target, err := s.presentNode(ctx, source)
	if err != nil {
		return drift.Explanation{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.PeerTimeout)
	defer cancel()
	ctx, stop := s.WithPresence(ctx, *target)
	defer stop()
	return s.deps.Peer.Explain(ctx, *target, gameID)
}

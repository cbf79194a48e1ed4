package cluster

import (
	"context"
	"errors"

	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
)

// Explain returns what is known of the game, from the node it lives on: only that node
// sees its container. If that node is unreachable, and this one has an engine, Explain
// returns what the store knows, with a warning. A game that is not known at all is
// runtime.ErrNotFound.
func (s *Service) Explain(ctx context.Context, gameID string, forwarded bool) (drift.Explanation, error) {
	home, _, err := s.homeOf(ctx, gameID)
	if err != nil && !errors.Is(err, runtime.ErrNotFound) {
		return drift.Explanation{}, err
	}
	switch isRemote := home.Name != "" && home != s.self; {
	case isRemote && forwarded:
		return drift.Explanation{}, &node.MisdirectedError{GameID: gameID, Node: home, Local: s.self}
	case isRemote:
		return s.explainRemote(ctx, home, gameID)
	}
	if err := s.requireEngine(); err != nil {
		return drift.Explanation{}, err
	}
	return s.deps.Local.Explain(ctx, gameID)
}

func (s *Service) explainRemote(ctx context.Context, home node.Ref, gameID string) (drift.Explanation, error) {
	explanation, err := s.explainFrom(ctx, home, gameID)
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

func (s *Service) explainFrom(ctx context.Context, home node.Ref, gameID string) (drift.Explanation, error) {
	target, err := s.presentNode(ctx, home)
	if err != nil {
		return drift.Explanation{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.PeerTimeout)
	defer cancel()
	ctx, stop := s.WithPresence(ctx, *target)
	defer stop()
	return s.deps.Peer.Explain(ctx, *target, gameID)
}

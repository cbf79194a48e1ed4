package cluster

import (
	"context"
	"errors"

	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// Explain returns the explanation of the game from its node, because only that node has
// access to its container. If that node is unreachable, or this daemon has no engine, it
// returns the stored part with a warning. It returns runtime.ErrNotFound for an unknown
// game.
//
// It makes at most two round trips to etcd, in addition to those of another node. This node
// explains the game at the same time as it reads the nodes, and the cached record locates
// the game. A stale location does no harm: the other node rejects the request, and the
// explanation of this node has the current record.
func (s *Service) Explain(ctx context.Context, gameID string, isForwarded bool) (drift.Explanation, error) {
	explained := s.startExplaining(ctx, gameID)
	defer explained.stop()
	cached := s.cachedLocation(ctx, gameID)
	var overview node.Overview // of the nodes, if the game is on another one
	var remoteErr error
	if s.isRemote(cached) && !isForwarded {
		var explanation drift.Explanation
		explanation, overview, remoteErr = s.explainFrom(ctx, cached, gameID)
		if !errors.Is(remoteErr, node.ErrUnreachable) && !errors.Is(remoteErr, node.ErrMisrouted) {
			return explanation, remoteErr
		}
	}
	explanation, err := explained.wait()
	switch {
	case errors.Is(err, node.ErrNoEngine) && remoteErr != nil:
		return explanation, remoteErr
	case err != nil:
		return explanation, err
	}
	actual := cached
	if explanation.Record != nil {
		actual = node.RefOf(*explanation.Record)
	}
	switch {
	case !s.isRemote(actual):
		remoteErr = s.requireEngine()
	case isForwarded:
		return drift.Explanation{}, &node.MisroutedError{GameID: gameID, Node: actual, Local: s.self}
	case actual != cached:
		var remote drift.Explanation
		remote, overview, remoteErr = s.explainFrom(ctx, actual, gameID)
		if !errors.Is(remoteErr, node.ErrUnreachable) {
			return remote, remoteErr
		}
	}
	if remoteErr != nil {
		addLost(&explanation, overview)
		explanation.Warnings = append(explanation.Warnings, s.cfg.ErrorText(remoteErr)+"; the game's containers, log and findings are missing")
	}
	return explanation, nil
}

// addLost adds the finding that the node of the game is absent, which no node of the game's own
// can report. Without a current overview of the nodes it adds none.
func addLost(explanation *drift.Explanation, overview node.Overview) {
	if explanation.Record == nil || overview.IsStale || len(overview.Present) == 0 {
		return
	}
	found := runtime.VersionedRecord{Record: *explanation.Record, Revision: explanation.Revision}
	games := map[node.Ref][]ports.SharedRecord{node.RefOf(found.Record): {{Record: &found.Record, Revision: found.Revision}}}
	explanation.Findings = append(explanation.Findings, findLostGames(games, overview, explanation.Findings)...)
}

// cachedLocation returns the node of the game as the cached record names it. It returns
// the zero Ref if the record is missing or cannot be read.
func (s *Service) cachedLocation(ctx context.Context, gameID string) node.Ref {
	found, _, err := s.deps.Records.GetLocal(ctx, gameID)
	if err != nil {
		return node.Ref{}
	}
	return node.RefOf(found.Record)
}

// isRemote reports whether the node is another one than this.
func (s *Service) isRemote(ref node.Ref) bool { return ref.Name != "" && ref != s.self }

// explainFrom returns the explanation of the game from another node, and the nodes that it has
// read for that.
func (s *Service) explainFrom(ctx context.Context, ref node.Ref, gameID string) (drift.Explanation, node.Overview, error) {
	overview, err := s.readOverview(ctx)
	if err != nil {
		return drift.Explanation{}, overview, err
	}
	target, err := s.findPresent(overview.Present, ref)
	if err != nil {
		return drift.Explanation{}, overview, err
	}
	explanation, err := s.explainOn(ctx, target, gameID)
	return explanation, overview, err
}

func (s *Service) explainOn(ctx context.Context, target node.Node, gameID string) (drift.Explanation, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.PeerTimeout)
	defer cancel()
	ctx, stop := s.WithPresence(ctx, target)
	defer stop()
	return s.deps.Peer.Explain(ctx, target, gameID)
}

package httpserver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// place is a node by its names; empty ones are not decided.
type place struct{ region, node string }

func (p place) String() string { return p.region + "/" + p.node }

func placeOf(n node.Node) place { return place{n.Region, n.Name} }

func (s *Server) self() place { return place{s.cfg.Region, s.cfg.Node} }

// destination decides, by the game's record as it stands now, which node is to
// carry the request out: nil for this one. A request that was passed on already is
// carried out here or not at all.
func (s *Server) destination(ctx context.Context, request ports.OperationRequest, wanted place, forwarded bool) (*node.Node, error) {
	if wanted.node != "" { // named without its region it is one of this daemon's
		wanted.region = cmp.Or(wanted.region, s.cfg.Region)
	}
	home, status, err := s.homeOf(ctx, request.GameID)
	switch {
	case errors.Is(err, runtime.ErrNotFound) && request.Kind != operation.KindStart && s.cfg.Manager == nil:
		return nil, err
	case err != nil && !errors.Is(err, runtime.ErrNotFound):
		return nil, err
	}
	settled := home.node != "" && (request.Kind != operation.KindStart || status != runtime.StatusRemoved)
	if settled && (wanted.node != "" && wanted != home || wanted.region != "" && wanted.region != home.region) {
		return nil, &operation.RefusedError{
			GameID: request.GameID, Operation: string(request.Kind), Status: status,
			Reason: fmt.Sprintf("the game lives on node %s; leave region and node out, or clean it up before it is started elsewhere", home),
		}
	}
	switch {
	case settled && home != s.self():
		wanted = home
	case settled || request.Kind != operation.KindStart:
		wanted = s.self()
	case forwarded && wanted.node == "" && (wanted.region == "" || wanted.region == s.cfg.Region):
		wanted = s.self() // the node that passed it on has chosen this one
	}
	if forwarded && wanted != s.self() {
		return nil, misrouted(request.GameID, wanted, s.self())
	}
	return s.reach(ctx, wanted, home)
}

// reach returns the node of a place, which may be undecided in part, nil for this
// one. Before is where a game lived that was removed, and where its state may be.
func (s *Server) reach(ctx context.Context, wanted, before place) (*node.Node, error) {
	switch {
	case wanted == s.self():
		return nil, s.needEngine()
	case wanted.node != "":
		return s.nodeAt(ctx, wanted)
	case before.node != "" && before != s.self() && (wanted.region == "" || wanted.region == before.region):
		found, err := s.nodeAt(ctx, before)
		if err == nil && found.Engine != "" {
			return found, nil
		}
		if err != nil && !errors.Is(err, node.ErrUnreachable) {
			return nil, err
		}
	}
	hereWillDo := wanted.region == "" || wanted.region == s.cfg.Region
	if hereWillDo && (s.cfg.Manager != nil || s.cfg.Nodes == nil) {
		return nil, s.needEngine()
	}
	candidates, err := s.engines(ctx, wanted.region)
	switch {
	case err != nil:
		return nil, err
	case len(candidates) == 0:
		where := ""
		if wanted.region != "" {
			where = fmt.Sprintf(" in region %q", wanted.region)
		}
		return nil, &unreachableError{place: wanted, reason: "no node that runs games is present" + where + "; start a daemon with an engine there"}
	}
	return s.leastLoaded(ctx, candidates)
}

// homeOf returns where the game's record says that it lives, with its status;
// runtime.ErrNotFound for a game without a record.
func (s *Server) homeOf(ctx context.Context, gameID string) (place, runtime.Status, error) {
	found, err := s.store.GetVersioned(ctx, gameID)
	if err != nil {
		return place{}, "", err
	}
	return place{found.Record.Region, found.Record.Node}, found.Record.Status, nil
}

// engines returns the present nodes that run games, of one region or of all.
func (s *Server) engines(ctx context.Context, region string) ([]node.Node, error) {
	if s.cfg.Nodes == nil {
		return nil, nil
	}
	present, err := s.cfg.Nodes.Nodes(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the nodes: %w", err)
	}
	return slices.DeleteFunc(slices.Clone(present), func(n node.Node) bool {
		return n.Engine == "" || region != "" && n.Region != region
	}), nil
}

// leastLoaded returns the candidate whose name the fewest records bear.
func (s *Server) leastLoaded(ctx context.Context, candidates []node.Node) (*node.Node, error) {
	games, err := s.gamesByNode(ctx)
	if err != nil {
		return nil, err
	}
	best := slices.MinFunc(candidates, func(a, b node.Node) int {
		return cmp.Compare(games[placeOf(a)], games[placeOf(b)])
	})
	return &best, nil
}

// gamesByNode counts the games that are not removed. It may be a moment old.
func (s *Server) gamesByNode(ctx context.Context) (map[place]int, error) {
	games := map[place]int{}
	for _, status := range []runtime.Status{runtime.StatusRunning, runtime.StatusStopped} {
		query := ports.PageQuery{Status: status, Limit: ports.MaxPageLimit, Local: true}
		for {
			page, err := s.store.ListPage(ctx, query)
			if err != nil {
				return nil, fmt.Errorf("count the games of each node: %w", err)
			}
			for _, found := range page.Records {
				games[place{found.Record.Region, found.Record.Node}]++
			}
			if page.Next == "" {
				break
			}
			query.Revision, query.After = page.Revision, page.Next
		}
	}
	return games, nil
}

// needEngine is a problem on a daemon that runs no games.
func (s *Server) needEngine() error {
	if s.cfg.Manager != nil {
		return nil
	}
	return notOffered("this daemon runs no engine (--engine none); ask one that does")
}

func notOffered(why string) *api.Problem {
	return newProblem(http.StatusNotImplemented, api.CodeNoEngine, "Not offered by this daemon", why)
}

func misrouted(gameID string, home, here place) *api.Problem {
	p := newProblem(http.StatusMisdirectedRequest, api.CodeMisrouted, "Request was passed on to the wrong node",
		fmt.Sprintf("the game belongs to node %s and this is node %s; it may just have moved: ask again", home, here))
	p.GameID, p.Region, p.Node = gameID, home.region, home.node
	return p
}

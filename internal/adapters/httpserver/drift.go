package httpserver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"

	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/node"
)

type driftInput struct {
	Scope string `query:"scope" enum:"all,node" default:"all" doc:"Whose findings: those of every node, asked at the same time, or those of the node that answers"`
}

type driftOutput struct{ Body drift.Report }

func (s *Server) getDrift(ctx context.Context, in *driftInput) (*driftOutput, error) {
	var report drift.Report
	var err error
	if in.Scope == "node" {
		if err = s.needEngine(); err == nil {
			report, err = s.cfg.Manager.Drift(ctx)
		}
	} else {
		report, err = s.driftOfAll(ctx)
	}
	if err != nil {
		return nil, s.fail(ctx, err, inQuery)
	}
	report.Findings, report.Brakes, report.Missing = orEmpty(report.Findings), orEmpty(report.Brakes), orEmpty(report.Missing)
	return &driftOutput{Body: report}, nil
}

// driftOfAll gathers the reports of every node that runs games. One that does not
// answer in time is listed as missing, and so is one that is not there while
// records name it.
func (s *Server) driftOfAll(ctx context.Context) (drift.Report, error) {
	nodes, err := s.engines(ctx, "")
	if err != nil {
		return drift.Report{}, err
	}
	if s.cfg.Manager != nil && !slices.ContainsFunc(nodes, func(n node.Node) bool { return placeOf(n) == s.self() }) {
		nodes = append(nodes, node.Node{Region: s.cfg.Region, Name: s.cfg.Node})
	}
	if len(nodes) == 0 && s.cfg.Nodes == nil {
		return drift.Report{}, s.needEngine()
	}
	absent, err := s.absent(ctx, nodes)
	if err != nil {
		return drift.Report{}, err
	}
	whole := drift.Report{Missing: absent}
	var mu sync.Mutex // guards whole
	var asked sync.WaitGroup
	for _, node := range nodes {
		asked.Go(func() {
			report, err := s.driftOf(ctx, node)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				whole.Missing = append(whole.Missing, drift.UnreachableNode{Region: node.Region, Node: node.Name, Reason: err.Error()})
				return
			}
			whole.Findings = append(whole.Findings, report.Findings...)
			whole.Brakes = append(whole.Brakes, report.Brakes...)
			whole.Missing = append(whole.Missing, report.Missing...)
		})
	}
	asked.Wait()
	sortReport(&whole)
	return whole, nil
}

func (s *Server) driftOf(ctx context.Context, node node.Node) (drift.Report, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.PeerTimeout)
	defer cancel()
	if placeOf(node) == s.self() && s.cfg.Manager != nil {
		report, err := s.cfg.Manager.Drift(ctx)
		if err != nil {
			s.cfg.Logger.Error("drift of this node is not known", "error", err)
			return report, problemOf(err, inQuery) // whose words are fit for strangers
		}
		return report, nil
	}
	var report drift.Report
	err := s.askPeer(ctx, node, peerCall{method: http.MethodGet, path: routeDrift, query: map[string][]string{"scope": {"node"}}}, &report)
	if err == nil && (report.Findings == nil || report.Brakes == nil || report.Missing == nil) {
		// A report of nothing has its lists, empty: this one must not pass for it.
		err = unanswered(ctx, node, errors.New("what it answered is not a report"))
	}
	return report, err
}

// absent returns the nodes that records name and that do not take part.
func (s *Server) absent(ctx context.Context, present []node.Node) ([]drift.UnreachableNode, error) {
	games, err := s.gamesByNode(ctx)
	if err != nil {
		return nil, err
	}
	for _, node := range present {
		delete(games, placeOf(node))
	}
	var missing []drift.UnreachableNode
	for at, count := range games {
		if at.node == "" {
			continue
		}
		named := "a record names it"
		if count > 1 {
			named = fmt.Sprintf("%d records name it", count)
		}
		missing = append(missing, drift.UnreachableNode{
			Region: at.region, Node: at.node, Reason: "is not among the present nodes that run games, and " + named,
		})
	}
	return missing, nil
}

func sortReport(r *drift.Report) {
	slices.SortFunc(r.Findings, func(a, b drift.Finding) int {
		return cmp.Or(cmp.Compare(a.Region, b.Region), cmp.Compare(a.Node, b.Node), cmp.Compare(a.GameID, b.GameID), cmp.Compare(a.ID, b.ID))
	})
	slices.SortFunc(r.Brakes, func(a, b drift.Brake) int {
		return cmp.Or(cmp.Compare(a.Region, b.Region), cmp.Compare(a.Node, b.Node))
	})
	slices.SortFunc(r.Missing, func(a, b drift.UnreachableNode) int {
		return cmp.Or(cmp.Compare(a.Region, b.Region), cmp.Compare(a.Node, b.Node))
	})
}

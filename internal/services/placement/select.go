package placement

import (
	"cmp"
	"slices"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
)

// Request is the search for the node of one game.
type Request struct {
	// Region restricts the selection to one region; empty allows all.
	Region string
	// Nodes are the present nodes, ordered by region and name.
	Nodes []node.Node
	// Load counts the running games of each node.
	Load Load
	// Failures counts how often each node failed to run this game; see RecentFailures.
	Failures map[node.Ref]int
}

// Select returns the best candidate, and false if there is none. It changes nothing
// in the request.
func Select(request Request) (node.Node, bool) {
	candidates := Candidates(request.Nodes, request.Region)
	if len(candidates) == 0 {
		return node.Node{}, false
	}
	return slices.MinFunc(candidates, func(a, b node.Node) int {
		return cmp.Or(
			cmp.Compare(request.Failures[a.Ref()], request.Failures[b.Ref()]),
			cmp.Compare(request.Load[a.Ref()], request.Load[b.Ref()]),
		)
	}), true
}

// Candidates returns the nodes that run an engine, of one region, or of all regions
// if region is empty. The order of nodes is kept.
func Candidates(nodes []node.Node, region string) []node.Node {
	return slices.DeleteFunc(slices.Clone(nodes), func(n node.Node) bool {
		return n.Engine == "" || region != "" && n.Region != region
	})
}

// Load counts the running games of each node.
type Load map[node.Ref]int

// Add counts the record if its game runs on a node.
func (l Load) Add(record runtime.RuntimeRecord) {
	if record.Status == runtime.StatusRunning && record.Node != "" {
		l[node.RefOf(record)]++
	}
}

// RecentFailures counts, by node, the failed reschedules of a game since its last
// successful operation. The outcomes are ordered newest first.
func RecentFailures(recent []operation.Outcome) map[node.Ref]int {
	failures := map[node.Ref]int{}
	for _, outcome := range recent {
		if outcome.Failure == nil {
			break
		}
		if outcome.Kind == operation.KindReschedule {
			failures[node.Ref{Region: outcome.Region, Name: outcome.Node}]++
		}
	}
	return failures
}

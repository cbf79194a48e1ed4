package placement

import (
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
	// Load counts the games of each node.
	Load Load
	// Failures counts how often each node failed to run this game; see RecentFailures.
	Failures map[node.Ref]int
	// Offers are what the nodes report of themselves. A node without an offer counts as one
	// that has no image, no failure and no game that starts.
	Offers map[node.Ref]node.Offer
	// Previous is the node that the game ran on last, which may still have its state.
	Previous node.Ref
	// Preferred is selected among equals.
	Preferred node.Ref
}

// Select returns the best candidate, and false if there is none. It changes nothing
// in the request.
func Select(request Request) (node.Node, bool) {
	candidates := Candidates(request.Nodes, request.Region)
	if len(candidates) == 0 {
		return node.Node{}, false
	}
	return slices.MinFunc(candidates, func(a, b node.Node) int {
		return slices.Compare(request.rank(a.Ref()), request.rank(b.Ref()))
	}), true
}

// rank returns the criteria for a node, the most important first. The least rank wins.
func (r Request) rank(ref node.Ref) []int {
	offer := r.Offers[ref]
	return []int{
		r.Failures[ref] + offer.Failures,
		oneIf(!offer.HasImage),
		oneIf(ref != r.Previous),
		r.Load[ref],
		oneIf(ref != r.Preferred),
	}
}

func oneIf(condition bool) int {
	if condition {
		return 1
	}
	return 0
}

// Candidates returns the nodes that run an engine, of one region, or of all regions
// if region is empty. The order of nodes is kept.
func Candidates(nodes []node.Node, region string) []node.Node {
	return slices.DeleteFunc(slices.Clone(nodes), func(n node.Node) bool {
		return n.Engine == "" || region != "" && n.Region != region
	})
}

// Load counts the games of each node.
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

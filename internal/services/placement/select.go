package placement

import (
	"cmp"
	"math"
	"slices"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/gameports"
)

// Request is the search for the node of one game.
type Request struct {
	GameID string
	// OperationID is the operation that will run the game. Its reservation is made once.
	OperationID string
	// Region restricts the selection to one region; empty allows all.
	Region string
	// Spec has what the game requests, its node selector, tolerations and placement policy.
	Spec operation.Spec
	// Nodes are the present nodes, ordered by region and name.
	Nodes []node.Node
	// Labels are those of the game. Spec.SpreadGroup names one of them.
	Labels map[string]string
	// SpreadGames counts the games of the group of the game by the value of the label Spec.SpreadBy of their
	// node.
	SpreadGames map[string]int
	// Excluded has the nodes that must not be selected, with the reason, such as "is cordoned".
	Excluded map[node.Ref]string
	// IsNamed reports that the caller named the only node: its taints do not matter.
	IsNamed bool
	// Current, if not nil, is what the game requests so far of the only node, which runs it: only the resources
	// that grow are checked.
	Current *node.Resources
	// Load is what the other games of each node use.
	Load Load
	// Unreserved counts the games that each node is starting and that Load does not count. Some of
	// them may be running already, so they matter for the rank only.
	Unreserved map[node.Ref]int
	// Failures counts how often each node failed to run this game; see RecentFailures.
	Failures map[node.Ref]int
	// Offers are what the nodes report of themselves. A node without an offer counts as one
	// that has no image and no failure.
	Offers map[node.Ref]node.Offer
	// Previous is the node that the game ran on last, which may still have its state.
	Previous node.Ref
	// Preferred is selected among equals.
	Preferred node.Ref
}

// Select checks the candidates. Placement.Selected is zero if none fits. It changes nothing in
// the request.
func Select(request Request) node.Placement {
	result := node.Placement{Region: request.Region}
	type ranked struct {
		node.Candidacy
		rank []int
	}
	var checked []ranked
	for _, n := range Candidates(request.Nodes, request.Region) {
		ref := n.Ref()
		used := request.Load[ref]
		checked = append(checked, ranked{
			node.Candidacy{
				Node: ref, Reason: request.exclusion(n, used), Used: used, Capacity: n.Capacity, HasImage: request.Offers[ref].HasImage,
				Failures: request.failures(ref), AvoidedTaints: request.countAvoided(n), IsPrevious: ref == request.Previous,
				SpreadValue: n.Labels[request.Spec.SpreadBy], SpreadGames: request.SpreadGames[n.Labels[request.Spec.SpreadBy]],
			},
			request.rank(n),
		})
	}
	slices.SortStableFunc(checked, func(a, b ranked) int {
		if byFit := cmp.Compare(oneIf(a.Reason != ""), oneIf(b.Reason != "")); byFit != 0 || a.Reason != "" {
			return byFit
		}
		return slices.Compare(a.rank, b.rank)
	})
	for i, c := range checked {
		if c.Reason == "" {
			c.Rank = i + 1
		}
		result.Nodes = append(result.Nodes, c.Candidacy)
	}
	if len(checked) > 0 && checked[0].Reason == "" {
		result.Selected = checked[0].Node
	}
	return result
}

// rank returns the criteria for a node, the most important first. The least rank wins.
func (r Request) rank(n node.Node) []int {
	ref := n.Ref()
	hasOffer, offer := r.Offers != nil, r.Offers[ref]
	isMissing := hasOffer && !offer.HasImage
	used := r.Load[ref]
	used.Add(r.Spec.Requests())
	used.Games += r.Unreserved[ref]
	direction := 1
	if r.Spec.Placement == operation.PlacementPack {
		direction = -1
	}
	if isMissing {
		used.Games += direction // an image that must be pulled counts as one game
	}
	return []int{
		r.failures(ref),
		oneIf(isMissing && n.Engine == container.EngineKindProcess), // it cannot pull
		r.countAvoided(n),
		oneIf(ref != r.Previous),
		r.spreadRank(n),
		direction * perMille(n.Capacity.Share(used)),
		direction * used.Games,
		oneIf(isMissing),
		oneIf(ref != r.Preferred),
	}
}

// spreadRank returns the number of games of the group on the nodes that have the same value of the label by
// which the game is spread. A node without the label comes last.
func (r Request) spreadRank(n node.Node) int {
	value, isLabeled := n.Labels[r.Spec.SpreadBy]
	switch {
	case r.Spec.SpreadBy == "":
		return 0
	case !isLabeled:
		return math.MaxInt
	}
	return r.SpreadGames[value]
}

// failures returns the recent failures of the game on the node, and of its image.
func (r Request) failures(ref node.Ref) int { return r.Failures[ref] + r.Offers[ref].Failures }

func perMille(share float64) int { return int(math.Round(1000 * share)) }

func oneIf(condition bool) int {
	if condition {
		return 1
	}
	return 0
}

// Load is what the games of each node use.
type Load map[node.Ref]node.Usage

// Add counts the record if its game uses its node. ranges are the ranges of ports of the nodes.
func (l Load) Add(record runtime.RuntimeRecord, ranges map[node.Ref]gameports.Range) {
	if record.HoldsPlace() {
		ref := node.RefOf(record)
		l.AddGame(ref, requestsOf(record, ranges[ref]))
	}
}

// AddGame counts one game on the node.
func (l Load) AddGame(ref node.Ref, requests node.Resources) {
	used := l[ref]
	used.Add(requests)
	l[ref] = used
}

// requestsOf returns what the game of the record uses of its node, whose ports for players are in the range.
func requestsOf(record runtime.RuntimeRecord, ports gameports.Range) node.Resources {
	used := node.Resources{CPUs: record.RequestCPUs, MemoryBytes: record.RequestMemoryBytes}
	for _, p := range record.Ports {
		switch {
		case !ports.Contains(p.Port):
		case p.Protocol == runtime.ProtocolUDP:
			used.UDPPorts++
		default:
			used.TCPPorts++
		}
	}
	return used
}

// RangesOf returns the ranges of ports of the nodes that have one.
func RangesOf(nodes []node.Node) map[node.Ref]gameports.Range {
	ranges := map[node.Ref]gameports.Range{}
	for _, n := range nodes {
		if parsed, err := gameports.ParseRange(n.GamePorts); err == nil && parsed.Size() > 0 { // a node announces a valid one
			ranges[n.Ref()] = parsed
		}
	}
	return ranges
}

// RecentFailures counts, by node, the failed reschedules of a game and its starts that failed for a
// reason of the node, since its last successful operation. The outcomes are ordered newest first.
func RecentFailures(recent []operation.Outcome) map[node.Ref]int {
	failures := map[node.Ref]int{}
	for _, outcome := range recent {
		for _, attempt := range outcome.Attempts {
			failures[attempt.NodeRef()]++
		}
		if outcome.Failure == nil {
			break
		}
		if outcome.Kind == operation.KindReschedule || outcome.Failure.NodeFault {
			failures[node.Ref{Region: outcome.Region, Name: outcome.Node}]++
		}
	}
	return failures
}

package api

import "galaxy/rtmanager/internal/domain/node"

// Placement explains on which node a start would run a game.
type Placement struct {
	Region string      `json:"region" doc:"The region that was searched"`
	Node   string      `json:"node,omitempty" doc:"The node that would run the game; absent if none fits"`
	Nodes  []Candidate `json:"nodes" nullable:"false" doc:"The nodes that fit, the best one first, and then the others"`
}

// Candidate is one node of a placement.
type Candidate struct {
	Region        string        `json:"region" doc:"The region of the node"`
	Node          string        `json:"node" doc:"The name of the node"`
	Rank          int           `json:"rank,omitempty" doc:"The position among the nodes that fit, from 1; absent if it does not fit"`
	Reason        string        `json:"reason,omitempty" doc:"Why the node does not fit; absent if it does"`
	Used          node.Usage    `json:"used" doc:"What the games of the node use, without this one"`
	Capacity      node.Capacity `json:"capacity" doc:"What the games of the node may use together"`
	HasImage      bool          `json:"has_image,omitempty" doc:"Whether the node has reported that it has the image"`
	Failures      int           `json:"failures,omitempty" doc:"The number of recent failures of the game or its image on the node"`
	AvoidedTaints int           `json:"avoided_taints,omitempty" doc:"The number of PreferNoSchedule taints that the game does not tolerate"`
	SpreadValue   string        `json:"spread_value,omitempty" doc:"The value of the label of the node by which the game is spread"`
	SpreadGames   int           `json:"spread_games,omitzero" doc:"The number of games of the same group on the nodes with that value"`
	IsPrevious    bool          `json:"is_previous,omitempty" doc:"Whether the game ran on the node last"`
}

// PlacementFrom returns the JSON of a placement.
func PlacementFrom(p node.Placement) *Placement {
	encoded := Placement{Region: p.Region, Node: p.Selected.Name, Nodes: []Candidate{}}
	for _, c := range p.Nodes {
		encoded.Nodes = append(encoded.Nodes, Candidate{
			Region: c.Node.Region, Node: c.Node.Name, Rank: c.Rank, Reason: c.Reason, Used: c.Used, Capacity: c.Capacity,
			HasImage: c.HasImage, Failures: c.Failures, AvoidedTaints: c.AvoidedTaints, IsPrevious: c.IsPrevious,
			SpreadValue: c.SpreadValue, SpreadGames: c.SpreadGames,
		})
	}
	return &encoded
}

// Error returns the error of a placement without a node that fits, and nil otherwise.
func (p Placement) Error() error {
	if p.Node != "" {
		return nil
	}
	err := &node.NoCapacityError{Region: p.Region}
	for _, c := range p.Nodes {
		err.Nodes = append(err.Nodes, node.Candidacy{Node: node.Ref{Region: c.Region, Name: c.Node}, Reason: c.Reason})
	}
	return err
}

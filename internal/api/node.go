package api

import "galaxy/rtmanager/internal/domain/node"

// Nodes tells who takes part.
type Nodes struct {
	Answered Place       `json:"answered" doc:"The node that answered"`
	Items    []node.Node `json:"items" nullable:"false" doc:"The nodes that are present, ordered by region and name"`
	Leaders  []Place     `json:"leaders" nullable:"false" doc:"Who leads each region; a region without a leader is not listed"`
}

// Place is a node by its names.
type Place struct {
	Region string `json:"region"`
	Node   string `json:"node"`
}

// String returns REGION/NODE.
func (p Place) String() string { return p.Region + "/" + p.Node }

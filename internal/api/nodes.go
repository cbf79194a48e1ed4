package api

import "galaxy/rtmanager/internal/domain/node"

// Nodes is the response to GET /v1/nodes.
type Nodes struct {
	Responder node.Ref    `json:"responder" doc:"The node that responds"`
	Items     []node.Node `json:"items" nullable:"false" doc:"The present nodes, ordered by region and name"`
	Leaders   []node.Ref  `json:"leaders" nullable:"false" doc:"The leader of each region; a region without a leader is not listed"`
}

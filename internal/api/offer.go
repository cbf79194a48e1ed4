package api

import "galaxy/rtmanager/internal/domain/node"

// Offer is the response to POST /v1/runtimes/{game_id}/offer.
type Offer struct {
	Node string `json:"node" doc:"The node that makes the offer, as REGION/NODE"`
	node.Offer
}

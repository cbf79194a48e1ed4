package api

import (
	"time"

	"galaxy/rtmanager/internal/domain/node"
)

// Nodes is the response to GET /v1/nodes.
type Nodes struct {
	Responder node.Ref   `json:"responder" doc:"The node that responds"`
	Items     []Node     `json:"items" nullable:"false" doc:"The present, stopped and lost nodes, ordered by region and name"`
	Leaders   []node.Ref `json:"leaders" nullable:"false" doc:"The leader of each region; a region without a leader of its own is not listed"`
	Regions   []Region   `json:"regions" nullable:"false" doc:"Each region with its leader or caretaker, and its absent nodes"`
	Stale     bool       `json:"stale,omitempty" doc:"No majority of the members of etcd is reachable from this daemon: the nodes are as last known"`
}

// Node is one node.
type Node struct {
	node.Node
	Status       node.Status `json:"status" enum:"ready,stopped,lost" doc:"ready: present; stopped: its daemon stopped as planned; lost: absent for another reason"`
	LostSince    *time.Time  `json:"lost_since,omitempty" doc:"When the loss was detected; absent before"`
	StoppedSince *time.Time  `json:"stopped_since,omitempty" doc:"When the daemon stopped"`
	Games        int         `json:"games" doc:"The number of running and stopped games that the node has"`
	Used         node.Usage  `json:"used,omitzero" doc:"What the games of the node use, including those that are being started"`
	ClockOffset  string      `json:"clock_offset,omitempty" doc:"By how much the clock of the node is ahead of the responder's at least, as a duration; negative if it is behind; absent unless they certainly differ"`
}

// IsReady reports whether the node is present.
func (n Node) IsReady() bool { return n.Status == node.StatusReady }

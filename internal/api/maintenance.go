package api

import (
	"time"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
)

// ChangedNode is the response to a change of the settings of a node.
type ChangedNode struct {
	node.Ref
	Settings node.Settings `json:"settings" doc:"The settings after the change"`
}

// ChangedRegion is the response to a change of the settings of a region.
type ChangedRegion struct {
	Region   string              `json:"region" doc:"The name of the region"`
	Settings node.RegionSettings `json:"settings" doc:"The settings after the change"`
}

// DefaultDrainDeadline is the deadline of a drain whose request has none.
const DefaultDrainDeadline = 10 * time.Minute

// DrainRequest is the optional body of POST /v1/nodes/{region}/{node}/drain.
type DrainRequest struct {
	Deadline operation.Duration `json:"deadline,omitempty" doc:"How long the drain may take, such as 10m, which is the default"`
	StopOnly bool               `json:"stop_only,omitempty" doc:"Stop the games, and move none"`
	Force    bool               `json:"force,omitempty" doc:"Also move the games whose policy for lost nodes is not reschedule"`
}

// DrainResult is the response to a drain: it has been requested, and the daemon of the node carries
// it out.
type DrainResult struct {
	node.Ref
	Settings *node.Settings   `json:"settings,omitempty" doc:"The settings after the request; absent with dry_run"`
	Plan     []node.DrainStep `json:"plan" nullable:"false" doc:"With dry_run, what the drain would do with each running game"`
}

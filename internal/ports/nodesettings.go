package ports

import (
	"context"

	"galaxy/rtmanager/internal/domain/node"
)

// NodeSettingsStore keeps the settings that operators give nodes and regions. They have no
// lease. All methods are safe for concurrent use and end when ctx ends. Errors are those of
// RuntimeRecordStore.
type NodeSettingsStore interface {
	// Maintenance returns the settings of all nodes and regions by one linearizable read.
	Maintenance(ctx context.Context) (node.Maintenance, error)

	// UpdateNode changes the settings of a node by compare-and-swap, and returns them as
	// stored. It may call change several times, each time with the current settings; an
	// error of change is returned as it is, and then nothing is written. A change that
	// changes nothing is not written either. It returns a *node.UnknownError for a node that
	// has never joined.
	UpdateNode(ctx context.Context, ref node.Ref, change func(*node.Settings) error) (node.Settings, error)

	// UpdateRegion is UpdateNode for the settings of a region. It returns
	// runtime.ErrNotFound for a region in which no node has ever joined.
	UpdateRegion(ctx context.Context, region string, change func(*node.RegionSettings) error) (node.RegionSettings, error)

	// FollowMaintenance calls report with the current settings and then after each change,
	// in order, on the goroutine of the caller, until ctx ends. Then it returns the cause of
	// ctx. The receiver must not modify the maps. While etcd does not respond it reports
	// nothing.
	FollowMaintenance(ctx context.Context, report func(node.Maintenance)) error
}
